// The charts of a run over its steps.
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/heat_chart.h>
#include <handrail/train/report/html/internal/pages/sections.h>

namespace handrail::train::html {
namespace {

constexpr int max_y_ticks = 6;

// A row of marks for each name of an anomaly, on the axis of the steps.
void append_events(std::string& page, const RunPage& run, const Axis& x) {
  constexpr std::size_t max_rows = 16;
  constexpr int row_height = 20;
  std::vector<std::string> names;
  for (const Anomaly& cause : diagnosis(run.result.anomalies)) {
    names.push_back(cause.name);
    names.insert(names.end(), cause.effects.begin(), cause.effects.end());
  }
  if (names.empty()) return;
  const std::size_t rows = std::min(names.size(), max_rows);
  append_heading(page, "h3", "Anomalies over time");
  page += "<figure>\n";
  const int height = row_height * static_cast<int>(rows);
  append_svg_start(page, "events", "plot events", height, "Anomalies over the steps of the run",
                   "A row of marks for each kind of anomaly; those from before the first step are at the left end.");
  append_x_axis(page, x, height, "step", true);
  for (std::size_t r = 0; r < rows; ++r) {
    const double top = row_height * static_cast<double>(r);
    std::set<std::pair<int, bool>> drawn;  // by place: marks that would hide each other are drawn once
    for (const Anomaly& anomaly : run.result.anomalies) {
      if (anomaly.name != names[r]) continue;
      const double place = std::clamp(x.place(static_cast<double>(anomaly.step)), 0.0, 1.0);
      const bool is_warning = anomaly.severity == Severity::warning;
      if (!drawn.emplace(static_cast<int>(1000 * place), is_warning).second) continue;
      std::string at;
      append_coordinate(at, 100 * place);
      page += concat("<line class=\"tickmark ", is_warning ? "warn" : "note", "\" x1=\"", at, "%\" x2=\"", at,
                     "%\" y1=\"", top + 4, "\" y2=\"", top + row_height - 4, "\"><title>");
      append_escaped(page, anomaly.headline());
      page += "</title></line>";
    }
    page += concat("<text class=\"spot\" x=\"100%\" dx=\"8\" dy=\".32em\" y=\"", top + row_height / 2, "\">");
    append_escaped(page, shortened(names[r], 20));
    page += "</text>";
  }
  page += "</svg></figure>\n";
  if (rows < names.size())
    append_paragraph(page, "small", concat(names.size() - rows, " more kinds of anomalies are not drawn."));
}

std::vector<Point> finite_points(const Curve* curve) {
  return curve && !curve->empty() ? points_of(*curve) : std::vector<Point>();
}

void append_figure(std::string& page, const Chart& chart, const std::string& title) {
  page += "<figure>";
  append_heading(page, "h3", title);
  append_chart(page, chart);
  page += "</figure>\n";
}

// The range of a figure, without the few values that are far above all others, which would flatten the rest of a
// linear chart.
Axis axis_of(const std::vector<Line>& lines, Extent extent = {}) {
  for (const Line& line : lines)
    for (const Point& point : line.points) extent.add(point.low), extent.add(point.high);
  return extent.empty() ? linear_axis(0, 1, max_y_ticks) : value_axis(extent.low, extent.high, max_y_ticks);
}

// Positive figures: zeros among them are gaps, so that the scale can be logarithmic.
void leave_out_zeros(std::vector<Point>& points) {
  for (Point& point : points)
    if (point.low <= 0 && point.high > 0) point.low = std::min(point.value > 0 ? point.value : point.high, point.high);
}

}  // namespace

Axis steps_of(const RunPage& run) {
  double last = static_cast<double>(run.is_over ? run.result.steps : 0);
  for (const Curve* curve : {&run.record.steps.loss, &run.record.steps.lr})
    if (!curve->empty()) last = std::max(last, static_cast<double>(curve->buckets().back().last));
  return step_axis(0, last);
}

std::vector<Moment> resume_moment(const RunPage& run) {
  if (run.record.resumed_at == 0) return {};
  return {
      {static_cast<double>(run.record.resumed_at), "note", concat("resumed at step ", grouped(run.record.resumed_at))}};
}

void append_losses(std::string& page, const RunPage& run) {
  const Record& record = run.record;
  if (record.steps.loss.empty() && record.figures.all().empty()) return;
  append_heading(page, "h2", "Loss");
  Chart chart{.id = "loss",
              .title = "Loss over the steps of the run",
              .description = "The loss of each step, its moving average, and the loss on the validation set.",
              .x_name = "step",
              .x = steps_of(run),
              .height = 300};
  chart.lines.push_back({"each step", "raw", finite_points(&record.steps.loss)});
  chart.lines.push_back({"average", "ema", finite_points(&record.steps.ema)});
  chart.lines.push_back({"validation", "val", finite_points(record.figures.find("val_loss")), true});
  std::erase_if(chart.lines, [](const Line& line) { return line.points.empty(); });
  chart.y = axis_of(chart.lines);
  chart.moments = resume_moment(run);
  std::set<std::string> named;
  constexpr std::size_t max_moments = 8;
  for (const Anomaly& anomaly : run.result.anomalies)
    if (anomaly.severity == Severity::warning && anomaly.step > 0 && named.size() < max_moments &&
        named.insert(anomaly.name).second)
      chart.moments.push_back({static_cast<double>(anomaly.step), "warn", anomaly.headline()});
  if (const auto& best = run.result.best; best && best->evaluation.samples > 0)
    chart.spots.push_back({static_cast<double>(best->step), best->evaluation.loss, "val",
                           concat("best ", figure_text(best->evaluation.loss))});
  page += "<figure>";
  append_chart(page, chart);
  page += "</figure>\n";
  if (record.steps.loss.stride() > 1)
    append_paragraph(page, "small",
                     concat("Where steps are closer than the picture can show, the light area reaches from "
                            "their lowest value to their highest: ",
                            record.steps.loss.stride(), " steps make one point."));
  if (record.resumed_at > 0)
    append_paragraph(page, "small",
                     record.earlier_note.empty()
                         ? concat("Up to step ", grouped(record.resumed_at),
                                  " the figures are those of metrics.csv, which has fewer of them and no average.")
                         : record.earlier_note);
  append_events(page, run, chart.x);
}

void append_rates(std::string& page, const RunPage& run) {
  const StepCurves& steps = run.record.steps;
  if (steps.lr.empty() && steps.grad_norm.empty()) return;
  append_heading(page, "h2", "Learning rate and gradients");
  page += "<div class=\"pair\">\n";
  Chart lr{.id = "lr",
           .title = "Learning rate over the steps of the run",
           .description = "The learning rate of each update.",
           .x_name = "step",
           .x = steps_of(run)};
  lr.lines.push_back({"lr", "ema", finite_points(&steps.lr)});
  Extent rates;
  rates.add(steps.lr);
  lr.y = linear_axis(0, rates.empty() ? 1 : rates.high, max_y_ticks);
  lr.moments = resume_moment(run);
  append_figure(page, lr, "Learning rate");
  Chart norm{
      .id = "grad-norm",
      .title = "Gradient norm over the steps of the run",
      .description = "The Euclidean norm of all gradients before clipping, and the norm at which they are clipped.",
      .x_name = "step",
      .x = steps_of(run)};
  norm.lines.push_back({"norm", "raw", finite_points(&steps.grad_norm)});
  leave_out_zeros(norm.lines[0].points);
  Extent extent;
  if (run.record.start.clip_norm) {
    norm.levels.push_back(
        {*run.record.start.clip_norm, "limit", concat("clipped above ", short_form(*run.record.start.clip_norm))});
    extent.add(*run.record.start.clip_norm);
  }
  norm.y = axis_of(norm.lines, extent);
  norm.moments = resume_moment(run);
  append_figure(page, norm, "Gradient norm, before clipping");
  page += "</div>\n";
}

void append_metrics(std::string& page, const RunPage& run) {
  constexpr int max_charts = 16;
  const Figures& figures = run.record.figures;
  std::string charts;
  int count = 0;
  for (const Figure& figure : figures.all()) {
    const bool is_val = figure.name.starts_with("val_");
    const std::string name = figure.name.substr(figure.name.find('_') + 1);
    const bool has_val = figures.find("val_" + name) != nullptr;
    if (figure.name == "val_loss" || figure.name == "train_loss_epoch" || (!is_val && has_val)) continue;
    if (++count > max_charts) break;
    Chart chart{.id = concat("metric-", count),
                .title = name + " over the steps of the run",
                .description = "The metric on the validation set, and in training where it is measured there.",
                .x_name = "step",
                .x = steps_of(run),
                .height = 180};
    chart.lines.push_back({"training", "ema", finite_points(figures.find("train_" + name)), true});
    chart.lines.push_back({"validation", "val", finite_points(figures.find("val_" + name)), true});
    std::erase_if(chart.lines, [](const Line& line) { return line.points.empty(); });
    Extent extent;
    for (const Line& line : chart.lines)
      for (const Point& point : line.points) extent.add(point.low), extent.add(point.high);
    chart.y = extent.empty() ? linear_axis(0, 1, max_y_ticks) : linear_axis(extent.low, extent.high, max_y_ticks);
    chart.moments = resume_moment(run);
    append_figure(charts, chart, name);
  }
  const auto& best = run.result.best;
  const auto& last = run.result.validation;
  const bool has_table = (best && best->evaluation.samples > 0) || (last && last->samples > 0);
  if (count == 0 && !has_table) return;
  append_heading(page, "h2", "Metrics");
  if (count > 0) page += "<div class=\"pair\">\n" + charts + "</div>\n";
  if (!has_table) return;
  page += "<div class=\"wide\"><table><thead><tr><th scope=\"col\">on the validation set</th>";
  if (best) page += concat("<th scope=\"col\" class=\"num\">best evaluation, step ", grouped(best->step), "</th>");
  if (last) page += "<th scope=\"col\" class=\"num\">last evaluation</th>";
  page += "</tr></thead><tbody>\n";
  const auto row = [&](const std::string& name, auto&& value) {
    std::vector<std::string> cells;
    if (best) cells.push_back(figure_text(value(best->evaluation)));
    if (last) cells.push_back(figure_text(value(*last)));
    append_row(page, name, cells);
  };
  row("loss", [](const Evaluation& e) { return e.loss; });
  const Evaluation& known = best ? best->evaluation : *last;
  if (known.measured_accuracy)
    row("accuracy", [](const Evaluation& e) { return e.measured_accuracy.value_or(std::nan("")); });
  for (const MetricValue& metric : known.metrics)
    row(metric.name, [&](const Evaluation& e) {
      const auto found = std::ranges::find(e.metrics, metric.name, &MetricValue::name);
      return found == e.metrics.end() ? std::nan("") : found->value;
    });
  page += "</tbody></table></div>\n";
}

void append_layers(std::string& page, const RunPage& run) {
  const LayerMaps& layers = run.record.layers;
  if (layers.grad_norms().columns() == 0 || layers.names().size() != layers.grad_norms().rows()) return;
  append_heading(page, "h2", "Layers");
  page += "<figure>";
  append_heading(page, "h3", "Gradient norm of each layer");
  append_heat_chart(page, {.id = "layer-norms",
                           .title = "Gradient norm of each layer over the steps",
                           .description = "A row for each layer; stronger colours are larger norms.",
                           .map = layers.grad_norms(),
                           .names = layers.names(),
                           .x = steps_of(run),
                           .scale = HeatScale::sequential});
  page += "</figure>\n<figure>";
  append_heading(page, "h3", "Update ratio of each layer: the norm of the update over that of the weights");
  append_heat_chart(page, {.id = "layer-ratios",
                           .title = "Update ratio of each layer over the steps",
                           .description = "A row for each layer; blue is below the usual 1e-3, orange above it.",
                           .map = layers.update_ratios(),
                           .names = layers.names(),
                           .x = steps_of(run),
                           .scale = HeatScale::ratio});
  page += "</figure>\n";
}

void append_lr_finder(std::string& page, const RunPage& run) {
  const auto& finder = run.record.lr_finder;
  if (!finder || finder->curve.empty()) return;
  append_heading(page, "h2", "LR finder");
  Chart chart{
      .id = "lr-finder",
      .title = "Loss over the learning rates of the sweep",
      .description = "The loss after an update at each rate, smoothed and as measured; the line is the rate chosen.",
      .x_name = "learning rate, logarithmic",
      .height = 240};
  std::vector<Point> raw, smoothed;
  Extent rates, losses;
  for (const LrPoint& point : finder->curve) {
    raw.push_back({point.lr, point.loss, point.loss, point.loss});
    smoothed.push_back({point.lr, point.smoothed, point.smoothed, point.smoothed});
    rates.add(point.lr);
    losses.add(point.smoothed);
  }
  losses.add(finder->initial_loss);
  if (rates.empty() || losses.empty() || rates.low <= 0) return;
  chart.x = log_axis(rates.low, rates.high, 8);
  chart.x.low = rates.low;
  chart.x.high = rates.high;
  if (!(chart.x.high > chart.x.low)) chart.x.high = 10 * chart.x.low;
  chart.y = value_axis(losses.low, losses.high, max_y_ticks);
  chart.lines.push_back({.name = "each batch", .style = "raw", .points = std::move(raw), .label = "each batch"});
  chart.lines.push_back({.name = "smoothed", .style = "ema", .points = std::move(smoothed), .label = "smoothed"});
  if (finder->suggestion) {
    chart.moments.push_back({*finder->suggestion, "pick", "the rate that was chosen"});
    const auto nearest = std::ranges::lower_bound(finder->curve, *finder->suggestion, {}, &LrPoint::lr);
    if (nearest != finder->curve.end())
      chart.spots.push_back(
          {*finder->suggestion, nearest->smoothed, "val", concat("chosen: ", short_form(*finder->suggestion, 3))});
  }
  page += "<figure>";
  append_chart(page, chart);
  page += "</figure>\n";
  if (!finder->note.empty()) append_paragraph(page, "small", finder->note);
  if (finder->low_confidence)
    append_paragraph(page, "small",
                     "A rate ten times lower or higher may do as well: the curve shows no clear valley.");
}

}  // namespace handrail::train::html
