#pragma once

#include <span>
#include <string>
#include <vector>

#include <handrail/train/report/html/internal/charts/axis.h>
#include <handrail/train/report/html/internal/heat_map.h>

namespace handrail::train::html {

/// How values become one of nine colours.
enum class HeatScale {
  sequential,  // from the least value of the map to the greatest, on a logarithmic scale
  ratio,       // around 1e-3, which is usual for an update, in steps of half a decade
};

/// A heat map: a row for each layer, time from left to right.
struct HeatChart {
  std::string id, title, description;
  const HeatMap& map;
  std::span<const std::string> names;  // of the rows
  Axis x;
  HeatScale scale;
};

/// Appends the map as an SVG element, and the key of its colours. Of more than 48 rows, 48 are shown, evenly spaced.
void append_heat_chart(std::string& page, const HeatChart& chart);

/// The colour of a value, from 0 to 8, given its decimal logarithm and those of the least and the greatest value;
/// -1 for NaN.
int heat_level(HeatScale scale, double log10_value, double log10_low, double log10_high);

}  // namespace handrail::train::html
