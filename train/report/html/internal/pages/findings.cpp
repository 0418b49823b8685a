// The diagnosis of a run, and what came after its first fit.
#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/pages/sections.h>

namespace handrail::train::html {
namespace {

void append_term(std::string& page, const char* term, const std::string& text) {
  if (text.empty()) return;
  page += concat("<dt>", term, "</dt><dd>");
  append_escaped(page, text);
  page += "</dd>";
}

void append_finding(std::string& page, const Anomaly& anomaly, std::int64_t count) {
  const bool is_warning = anomaly.severity == Severity::warning;
  page += is_warning ? "<article class=\"finding warn\"><h3><span class=\"tag\">Warning</span> <code>"
                     : "<article class=\"finding\"><h3><span class=\"tag\">Note</span> <code>";
  append_escaped(page, anomaly.name);
  page += "</code> <span class=\"at\">";
  std::string at = anomaly.step > 0 ? concat("step ", grouped(anomaly.step)) : "before the first step";
  if (!anomaly.where.empty()) at += ", " + anomaly.where;
  if (count > 1) at += concat(", reported ", grouped(count), " times");
  append_escaped(page, at);
  page += "</span></h3>\n";
  append_paragraph(page, "what", anomaly.evidence);
  page += "<dl>";
  append_term(page, "Likely cause", anomaly.cause);
  append_term(page, "What to try", anomaly.remedy);
  if (anomaly.action != Action::proceed) append_term(page, "What was done", anomaly.action_text());
  append_term(page, "Details", anomaly.details);
  std::string effects;
  for (const std::string& effect : anomaly.effects) effects += (effects.empty() ? "" : ", ") + effect;
  append_term(page, "Explains", effects);
  page += "</dl></article>\n";
}

void append_repairs(std::string& page, const std::vector<RepairAttempt>& repairs) {
  append_heading(page, "h3", "Repairs");
  page +=
      "<div class=\"wide\"><table><thead><tr><th scope=\"col\">fix</th><th scope=\"col\">for</th>"
      "<th scope=\"col\" class=\"num\">loss before</th><th scope=\"col\" class=\"num\">after</th>"
      "<th scope=\"col\" class=\"num\">95 % of the difference</th><th scope=\"col\">outcome</th></tr></thead><tbody>\n";
  for (const RepairAttempt& repair : repairs) {
    page += "<tr><th scope=\"row\">";
    append_escaped(page, repair.fix);
    page += "</th><td>";
    append_escaped(page, repair.anomaly.empty() ? "\u2013" : repair.anomaly);
    page += "</td><td class=\"num\">" + figure_text(repair.before) + "</td><td class=\"num\">" +
            figure_text(repair.after) + "</td><td class=\"num\">" + figure_text(repair.difference_low) + " to " +
            figure_text(repair.difference_high) + "</td><td>";
    append_escaped(page, repair.outcome());
    page += "</td></tr>\n";
  }
  page += "</tbody></table></div>\n";
}

void append_refit(std::string& page, const Refit& refit) {
  append_heading(page, "h3", "Second fit on all rows");
  if (refit.rows == 0) {
    append_paragraph(page, "what", "None was made: " + refit.reason + ".");
    return;
  }
  append_paragraph(
      page, "what",
      concat(grouped(refit.rows), " rows, ", counted(refit.epochs, "epoch"), ", ", counted(refit.steps, "step"), ", ",
             duration_text(refit.seconds), ", training loss ", figure_text(refit.train_loss), ". ",
             refit.kept ? "The model has its weights."
                        : concat("The weights of the first fit stay: ", refit.reason, ".")));
}

void append_calibration(std::string& page, const Calibration& c) {
  append_heading(page, "h3", "Calibration");
  if (c.rows == 0) {
    append_paragraph(page, "what", "The outputs were not calibrated: " + c.reason + ".");
    return;
  }
  append_paragraph(
      page, "what",
      concat("Temperature ", figure_text(c.temperature), ", fitted to ", grouped(c.rows), " rows. ",
             c.kept ? "The outputs of the model are divided by it." : concat("It is not used: ", c.reason, ".")));
  page +=
      "<table><thead><tr><th scope=\"col\">figure</th><th scope=\"col\" class=\"num\">without</th>"
      "<th scope=\"col\" class=\"num\">with the temperature</th></tr></thead><tbody>\n";
  append_row(page, "validation loss", {figure_text(c.loss_before), figure_text(c.loss_after)});
  append_row(page, "expected calibration error", {figure_text(c.error_before), figure_text(c.error_after)});
  page += "</tbody></table>\n";
}

}  // namespace

void append_findings(std::string& page, const RunPage& run) {
  append_heading(page, "h2", "Diagnosis");
  if (const auto step = run.record.resumed_at; step > 0)
    append_paragraph(
        page, "what",
        concat("The run was resumed at step ", grouped(step),
               ". This is the diagnosis of the steps since then only: what was found before is not here."));
  const std::vector<Anomaly> causes = diagnosis(run.result.anomalies);
  if (causes.empty()) append_paragraph(page, "what", "Nothing unusual was found.");
  for (const Anomaly& cause : causes) {
    const auto count = run.result.anomaly_counts.find(cause.name);
    append_finding(page, cause, count == run.result.anomaly_counts.end() ? 1 : count->second);
  }
}

void append_afterwards(std::string& page, const RunPage& run) {
  const FitEnd& result = run.result;
  if (result.repairs.empty() && !result.refit && !result.calibration) return;
  append_heading(page, "h2", "After the fit");
  if (!result.repairs.empty()) append_repairs(page, result.repairs);
  if (result.refit) append_refit(page, *result.refit);
  if (result.calibration) append_calibration(page, *result.calibration);
}

}  // namespace handrail::train::html
