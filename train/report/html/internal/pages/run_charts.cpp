// The charts of a run over its steps.
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/charts/heat_chart.h>
#include <handrail/train/report/html/internal/pages/sections.h>

namespace handrail::train::html {
namespace {

std::vector<Point> finite_points(const Curve* curve) {
  return curve && !curve->empty() ? points_of(*curve) : std::vector<Point>();
}

void append_figure(std::string& page, const Chart& chart, const std::string& title) {
  page += "<figure>";
  append_heading(page, "h3", title);
  append_chart(page, chart);
  page += "</figure>\n";
}

Extent extent_of(const std::vector<Line>& lines) {
  Extent extent;
  for (const Line& line : lines)
    for (const Point& point : line.points) extent.add(point.low), extent.add(point.value), extent.add(point.high);
  return extent;
}

}  // namespace

Axis steps_of(const RunPage& run) {
  auto last = static_cast<double>(run.is_over ? run.result.steps : 0);
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
  chart.y = value_axis(extent_of(chart.lines), max_y_ticks);
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
  Extent extent = extent_of(norm.lines);
  if (run.record.start.clip_norm) {
    norm.levels.push_back(
        {*run.record.start.clip_norm, "limit", concat("clipped above ", short_form(*run.record.start.clip_norm))});
    extent.add(*run.record.start.clip_norm);
  }
  norm.y = value_axis(extent, max_y_ticks);
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
    const Extent extent = extent_of(chart.lines);
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

}  // namespace handrail::train::html
