// The sweep for the learning rate.
#include <algorithm>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/pages/sections.h>

namespace handrail::train::html {

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
  chart.y = value_axis(losses, max_y_ticks);
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
