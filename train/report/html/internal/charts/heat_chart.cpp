#include <handrail/train/report/html/internal/charts/heat_chart.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/charts/svg.h>

namespace handrail::train::html {
namespace {

constexpr int levels = 9;
constexpr std::size_t max_layers_shown = 48;
constexpr int layer_height = 18;

// The rows that are shown.
std::vector<std::size_t> shown_rows(std::size_t rows) {
  std::vector<std::size_t> shown;
  const std::size_t count = std::min(rows, max_layers_shown);
  for (std::size_t i = 0; i < count; ++i) shown.push_back(count < 2 ? i : i * (rows - 1) / (count - 1));
  return shown;
}

void append_colour_key(std::string& page, HeatScale scale, const Extent& extent) {
  const bool is_ratio = scale == HeatScale::ratio;
  const auto text = [](double log10_value) { return short_form(std::pow(10, log10_value), 2); };
  page += "<p class=\"ramp\"><span>";
  page += is_ratio ? "10\u207b\u2075 or less" : text(extent.low);
  page += "</span><svg width=\"162\" height=\"12\" aria-hidden=\"true\">";
  for (int i = 0; i < levels; ++i)
    page += concat("<rect class=\"", is_ratio ? 'r' : 'h', i, "\" x=\"", 18 * i, "\" width=\"18\" height=\"12\"/>");
  page += "</svg><span>";
  page += is_ratio ? "10\u207b\u00b9 or more; 10\u207b\u00b3 is usual" : text(extent.high) + ", logarithmic";
  page += "</span></p>";
}

}  // namespace

int heat_level(HeatScale scale, double log10_value, double log10_low, double log10_high) {
  if (std::isnan(log10_value)) return -1;
  const double place = scale == HeatScale::ratio ? 2 * (log10_value + 3) + 4
                       : log10_high > log10_low  ? (log10_value - log10_low) / (log10_high - log10_low) * (levels - 1)
                                                 : (levels - 1) / 2.0;
  return static_cast<int>(std::round(std::clamp(place, 0.0, levels - 1.0)));
}

void append_heat_chart(std::string& page, const HeatChart& chart) {
  const HeatMap& map = chart.map;
  const std::vector<std::size_t> rows = shown_rows(map.rows());
  Extent extent;
  for (const std::size_t row : rows)
    for (std::size_t c = 0; c < map.columns(); ++c) extent.add(map.log10_at(row, c));
  const auto height = static_cast<double>(layer_height * std::ssize(rows));
  append_svg_start(page, chart.id, "plot heat", height, chart.title, chart.description);
  // A path for each colour, with a rectangle for each stretch of columns of a row.
  std::array<std::string, levels> paths;
  const auto x_at = [&](std::int64_t step) {
    return 1000 * std::clamp(chart.x.place(static_cast<double>(step)), 0.0, 1.0);
  };
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < map.columns();) {
      const auto level_at = [&](std::size_t column) {
        return heat_level(chart.scale, map.log10_at(rows[r], column), extent.low, extent.high);
      };
      const int level = level_at(c);
      std::size_t end = c + 1;
      while (end < map.columns() && level_at(end) == level) ++end;
      if (level >= 0) {
        const double left = c == 0 ? 0 : x_at(map.last(c - 1)), width = x_at(map.last(end - 1)) - left;
        std::string& path = paths[static_cast<std::size_t>(level)];
        path += 'M';
        append_coordinate(path, left);
        path += ' ';
        append_coordinate(path, static_cast<double>(layer_height) * static_cast<double>(r) + 1);
        path += 'h';
        append_coordinate(path, std::max(width, 0.5));
        path += "v16h-";
        append_coordinate(path, std::max(width, 0.5));
        path += 'z';
      }
      c = end;
    }
  }
  page += "<svg width=\"100%\" height=\"";
  append_coordinate(page, height);
  page += "\" viewBox=\"0 0 1000 ";
  append_coordinate(page, height);
  page += "\" preserveAspectRatio=\"none\">";
  for (std::size_t i = 0; i < levels; ++i)
    if (!paths[i].empty())
      page += concat("<path class=\"", chart.scale == HeatScale::ratio ? 'r' : 'h', i, "\" d=\"", paths[i], "\"/>");
  page += "</svg>";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::string& name = chart.names[rows[r]];
    page += "<text class=\"tick\" x=\"-8\" dy=\".32em\" text-anchor=\"end\" y=\"";
    append_coordinate(page, static_cast<double>(layer_height) * (static_cast<double>(r) + 0.5));
    page += "\">";
    append_escaped(page, shortened(name, 15));
    page += "<title>";
    append_escaped(page, name);
    page += "</title></text>";
  }
  append_x_axis(page, chart.x, height, "step");
  page += "</svg>";
  append_colour_key(page, chart.scale, extent);
  if (rows.size() < map.rows())
    page += concat("<p class=\"small\">", rows.size(), " of ", map.rows(), " layers, evenly spaced.</p>");
}

}  // namespace handrail::train::html
