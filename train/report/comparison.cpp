#include <handrail/train/report/comparison.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/charts/axis.h>
#include <handrail/train/report/html/internal/charts/chart.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/metrics_reader.h>
#include <handrail/train/report/html/internal/pages/sections.h>
#include <handrail/train/report/html/internal/style.h>
#include <handrail/train/report/internal/sinks/figures.h>

namespace handrail::train {
namespace {

constexpr std::size_t max_runs = 8;  // as many as the style sheet has lines

// What metrics.csv tells of a run.
struct ComparedRun {
  std::string name;
  html::Figures figures;
  std::int64_t steps = 0, epochs = 0;
  double best = std::numeric_limits<double>::quiet_NaN();  // the lowest val_loss
  std::int64_t best_step = 0, malformed = 0;
};

// "digits/3" for runs/digits/3.
std::string name_of(const std::filesystem::path& run_dir) {
  const std::filesystem::path path = std::filesystem::absolute(run_dir / "").parent_path().lexically_normal();
  return concat(path.parent_path().filename().string(), '/', path.filename().string());
}

// Whether a figure is one of the many of single layers.
bool is_of_layer(std::string_view name) {
  return std::ranges::any_of(layer_figures,
                             [name](const LayerFigure& figure) { return name.starts_with(concat(figure.name, '/')); });
}

ComparedRun read_run(const std::filesystem::path& run_dir) {
  ComparedRun run{.name = name_of(run_dir), .figures = {}};
  const auto add = [&run](const html::MetricRow& row) {
    run.steps = std::max(run.steps, row.step);
    run.epochs = std::max(run.epochs, row.epoch);
    if (is_of_layer(row.name)) return;
    const html::Curve* curve = run.figures.find(row.name);
    if (curve && !curve->empty() && row.step < curve->buckets().back().last) return void(++run.malformed);
    run.figures.add(row.step, row.name, row.value);
    if (row.name == "val_loss" && std::isfinite(row.value) && !(run.best <= row.value))
      run.best = row.value, run.best_step = row.step;
  };
  constexpr std::uint64_t whole_file = std::numeric_limits<std::int64_t>::max();
  const auto read = html::read_metrics(posix_file_system(), run_dir / "metrics.csv", whole_file, add);
  run.malformed += read.malformed;
  return run;
}

// The names of all figures: the losses first, then the others in the order in which they came.
std::vector<std::string> names_of(const std::vector<ComparedRun>& runs) {
  std::vector<std::string> names;
  for (const char* first : {"val_loss", "train_loss"})
    for (const ComparedRun& run : runs)
      if (run.figures.find(first) && std::ranges::find(names, first) == names.end()) names.emplace_back(first);
  for (const ComparedRun& run : runs)
    for (const html::Figure& figure : run.figures.all())
      if (std::ranges::find(names, figure.name) == names.end()) names.push_back(figure.name);
  return names;
}

void append_table(std::string& page, const std::vector<ComparedRun>& runs, const std::vector<std::string>& names) {
  page += "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">run</th>";
  std::vector<std::string> shown;
  std::ranges::copy_if(names, std::back_inserter(shown),
                       [](const std::string& name) { return name.starts_with("val_"); });
  std::vector<std::string> heads{"steps", "epochs", "lowest val_loss", "at step"};
  for (const std::string& name : shown) heads.push_back("last " + name);
  for (const std::string& head : heads) page += concat("<th scope=\"col\">", html::escaped(head), "</th>");
  page += "</tr></thead><tbody>\n";
  for (const ComparedRun& run : runs) {
    std::vector<std::string> cells{grouped(run.steps), grouped(run.epochs), html::figure_text(run.best),
                                   std::isnan(run.best) ? "\u2013" : grouped(run.best_step)};
    for (const std::string& name : shown) {
      const html::Curve* curve = run.figures.find(name);
      cells.push_back(html::figure_text(curve && !curve->empty() ? curve->buckets().back().value
                                                                 : std::numeric_limits<double>::quiet_NaN()));
    }
    html::append_row(page, run.name, cells);
  }
  page += "</tbody></table></div>\n";
}

void append_figure(std::string& page, const std::vector<ComparedRun>& runs, const std::string& name, int number) {
  constexpr int max_ticks = 6;
  std::int64_t last = 0;
  for (const ComparedRun& run : runs) last = std::max(last, run.steps);
  html::Chart chart{.id = concat("figure-", number),
                    .title = name + " of each run over its steps",
                    .description = "A line for each run, in the order of the table.",
                    .x_name = "step",
                    .x = html::step_axis(0, static_cast<double>(last)),
                    .height = number == 1 ? 300 : 200};
  html::Extent extent;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const html::Curve* curve = runs[r].figures.find(name);
    if (!curve || curve->empty()) continue;
    extent.add(*curve);
    chart.lines.push_back({.name = runs[r].name, .style = concat("s", r), .points = html::points_of(*curve)});
  }
  if (name == "lr" && !extent.empty())  // it falls to 0: on a logarithmic axis nothing else would be seen
    chart.y = html::linear_axis(0, extent.high, max_ticks);
  else
    chart.y = html::value_axis(extent, max_ticks);
  html::append_heading(page, "h2", name);
  page += "<figure>";
  html::append_chart(page, chart);
  page += "</figure>\n";
}

}  // namespace

std::string comparison_page(std::span<const std::filesystem::path> run_dirs) {
  if (run_dirs.empty() || run_dirs.size() > max_runs)
    fail<OptionError>("comparison_page: want 1 to ", max_runs, " directories of runs; got ", run_dirs.size());
  std::vector<ComparedRun> runs;
  runs.reserve(run_dirs.size());
  for (const auto& dir : run_dirs) runs.push_back(read_run(dir));
  // Runs of the same name are told apart by their paths.
  std::vector<bool> is_shared;
  is_shared.reserve(runs.size());
  for (const ComparedRun& run : runs) is_shared.push_back(std::ranges::count(runs, run.name, &ComparedRun::name) > 1);
  for (std::size_t r = 0; r < runs.size(); ++r)
    if (is_shared[r]) runs[r].name = run_dirs[r].string();
  const std::vector<std::string> names = names_of(runs);
  std::string page;
  html::append_page_start(page, "Comparison of runs", false);
  page += "<header>\n";
  html::append_heading(page, "h1", concat("Comparison of ", counted(std::ssize(runs), "run")));
  page += "</header>\n<main>\n";
  append_table(page, runs, names);
  for (const ComparedRun& run : runs)
    if (run.malformed > 0)
      html::append_paragraph(page, "small",
                             concat(run.name, ": ", counted(run.malformed, "line"), " could not be read."));
  for (std::size_t i = 0; i < names.size(); ++i) append_figure(page, runs, names[i], static_cast<int>(i) + 1);
  page += "</main>\n";
  html::append_page_end(page);
  return page;
}

}  // namespace handrail::train
