#pragma once

#include <string>

#include <handrail/train/report/html/internal/charts/axis.h>

namespace handrail::train::html {

// Parts that charts are made of.

/// Appends a number with at most one decimal, as coordinates are written.
void append_coordinate(std::string& page, double value);
/// Appends a share of the width, from 0 to 1, as a percentage.
void append_percent(std::string& page, double share);
/// Appends the start of an SVG element that fills the width of the page, with its title and description.
void append_svg_start(std::string& page, const std::string& id, const std::string& style, double height,
                      const std::string& title, const std::string& description);
/// Appends the grid lines and labels of the horizontal axis of a chart of that height.
void append_x_axis(std::string& page, const Axis& axis, double height, const std::string& name, bool grid = false);

}  // namespace handrail::train::html
