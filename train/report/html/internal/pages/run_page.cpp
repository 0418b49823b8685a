#include <handrail/train/report/html/internal/pages/run_page.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/pages/sections.h>
#include <handrail/train/report/html/internal/style.h>

namespace handrail::train::html {
namespace {

// "digits/3" for the directory /home/me/runs/digits/3.
std::string run_name(const std::string& run_dir) {
  const std::filesystem::path path(run_dir);
  if (path.empty()) return "run";
  const std::string above = path.parent_path().filename().string();
  return above.empty() ? path.filename().string() : above + "/" + path.filename().string();
}

std::int64_t steps_so_far(const RunPage& run) {
  const auto buckets = run.record.steps.loss.buckets();
  return run.is_over || buckets.empty() ? run.result.steps : buckets.back().last;
}

std::string state_text(const RunPage& run) {
  const FitEnd& result = run.result;
  if (!run.is_over)
    return concat("Running: step ", grouped(steps_so_far(run)), " of ", grouped(run.record.start.planned_steps), ".");
  std::string reason = to_string(result.reason);
  reason[0] = static_cast<char>(reason[0] - 'a' + 'A');
  std::string text = concat(reason, " after ", counted(result.epochs, "epoch"), " and ", counted(result.steps, "step"));
  if (result.seconds > 0) text += ", " + duration_text(result.seconds);
  text += '.';
  if (!result.exception.empty()) text += " " + result.exception;
  if (result.signal != 0) text += concat(" Signal ", result.signal, ".");
  if (result.skipped > 0) text += concat(" ", counted(result.skipped, "step"), " skipped.");
  if (result.rollbacks > 0) text += concat(" ", counted(result.rollbacks, "rollback"), ".");
  return text;
}

void append_fact(std::string& page, const std::string& name, const std::string& value) {
  page += "<div><dt>";
  append_escaped(page, name);
  page += "</dt><dd>";
  append_escaped(page, value);
  page += "</dd></div>\n";
}

void append_evaluation(std::string& page, const Evaluation& evaluation, const std::string& known) {
  if (evaluation.samples == 0) return;
  if (known != "val_loss") append_fact(page, "validation loss", figure_text(evaluation.loss));
  if (evaluation.measured_accuracy && known != "val_accuracy")
    append_fact(page, "validation accuracy", figure_text(*evaluation.measured_accuracy));
}

}  // namespace

std::string figure_text(double value) { return std::isnan(value) ? "\u2013" : four_digits(value); }

std::string duration_text(double seconds) {
  if (!(seconds >= 0 && seconds < 1e9)) return "\u2013";
  if (seconds < 100) return short_form(seconds, 3) + " s";
  const auto whole = static_cast<std::int64_t>(seconds);
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (whole < 3600) return concat(whole / 60, ":", two(whole % 60), " min");
  return concat(whole / 3600, ":", two(whole / 60 % 60), ":", two(whole % 60), " h");
}

void append_heading(std::string& page, const char* level, const std::string& text) {
  page += concat("<", level, ">");
  append_escaped(page, text);
  page += concat("</", level, ">\n");
}

void append_paragraph(std::string& page, const char* style, const std::string& text) {
  page += concat("<p class=\"", style, "\">");
  append_escaped(page, text);
  page += "</p>\n";
}

void append_row(std::string& page, const std::string& head, const std::vector<std::string>& cells) {
  page += "<tr><th scope=\"row\">";
  append_escaped(page, head);
  page += "</th>";
  for (const std::string& cell : cells) {
    page += "<td class=\"num\">";
    append_escaped(page, cell);
    page += "</td>";
  }
  page += "</tr>\n";
}

void append_head(std::string& page, const RunPage& run) {
  const FitEnd& result = run.result;
  append_heading(page, "h1", run_name(result.run_dir));
  append_paragraph(page, "lead", state_text(run));
  if (!result.checkpoint_problem.empty())
    append_paragraph(page, "lead", "The last state could not be saved: " + result.checkpoint_problem);
  page += "<dl class=\"facts\">\n";
  if (result.best) {
    append_fact(
        page, concat("best ", result.monitor.empty() ? "value" : result.monitor, ", step ", grouped(result.best->step)),
        figure_text(result.best->value));
    append_evaluation(page, result.best->evaluation, result.monitor);
  } else if (result.validation) {
    append_evaluation(page, *result.validation, "");
  }
  if (!std::isnan(result.train_loss)) append_fact(page, "training loss, last epoch", figure_text(result.train_loss));
  if (!std::isnan(result.lr)) append_fact(page, "peak learning rate", short_form(result.lr, 3));
  if (run.is_over && result.seconds > 0 && result.steps > 0)
    append_fact(page, "steps per second", grouped(std::llround(static_cast<double>(result.steps) / result.seconds)));
  append_fact(page, "seed", std::to_string(run.record.start.seed));
  page += "</dl>\n";
  if (run.is_over && result.best)
    append_paragraph(page, "small",
                     result.best_restored ? "The model has the weights of the best evaluation."
                                          : "The model has the weights of its last step.");
}

std::string run_page(const RunPage& run) {
  std::string page;
  page.reserve(1 << 18);
  append_page_start(page, run_name(run.result.run_dir), !run.is_over);
  page += "<header>\n";
  append_head(page, run);
  page += "</header>\n<main>\n";
  append_findings(page, run);
  append_losses(page, run);
  append_rates(page, run);
  append_metrics(page, run);
  append_confusion(page, run);
  append_layers(page, run);
  append_lr_finder(page, run);
  append_afterwards(page, run);
  append_settings(page, run);
  page += "</main>\n<footer>";
  append_escaped(page, concat("Written by handrail at ", run.written, "."));
  page += "</footer>\n";
  append_page_end(page);
  return page;
}

}  // namespace handrail::train::html
