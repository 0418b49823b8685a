#pragma once

#include <string>
#include <vector>

#include <handrail/train/report/html/internal/charts/axis.h>
#include <handrail/train/report/html/internal/curve.h>

namespace handrail::train::html {

/// A place on a line: low and high differ where a point stands for several values; both are NaN in a gap.
struct Point {
  double x, low, high;
  double value;  // at the end of a line, for its label
};
/// The buckets as points, each in the middle of its steps.
std::vector<Point> points_of(const Curve& curve);

/// A line of a chart. `style` is its class in the style sheet.
struct Line {
  std::string name;
  std::string style;
  std::vector<Point> points;
  bool dots = false;       // whether each point is marked, as those of evaluations are
  std::string label = {};  // at the end of the line; empty: the name and its last value
};
/// A horizontal line across a chart, such as a limit.
struct Level {
  double y;
  std::string style, label;
};
/// A vertical line across a chart, such as a moment.
struct Moment {
  double x;
  std::string style;
  std::string text;  // shown when the pointer rests on it
};
/// A marked point.
struct Spot {
  double x, y;
  std::string style, label;
};

/// A chart of lines. Its width is that of the page, and its texts have the same size whatever that is: places along x
/// are percentages, and only the lines themselves are stretched.
struct Chart {
  std::string id;           // of the element, unique on a page
  std::string title;        // names the chart for those who do not see it
  std::string description;  // what is seen on it, in a sentence
  std::string x_name;       // under the axis, such as "step"
  Axis x = {}, y = {};
  int height = 220;  // of the area between the axes, in pixels
  std::vector<Line> lines = {};
  std::vector<Level> levels = {};
  std::vector<Moment> moments = {};
  std::vector<Spot> spots = {};
};

/// Appends the chart as an SVG element, and the list of its lines for a narrow page, on which these have no labels.
void append_chart(std::string& page, const Chart& chart);

/// The vertical places, at least `distance` apart, that are nearest to those wanted and lie in [low, high]; in the same
/// order.
std::vector<double> spread(const std::vector<double>& wanted, double distance, double low, double high);

}  // namespace handrail::train::html
