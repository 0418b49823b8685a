#include <handrail/train/report/html/internal/charts/chart.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/charts/svg.h>

namespace handrail::train::html {
namespace {

constexpr double view_width = 1000;  // of the stretched coordinates of lines

bool is_gap(const Point& point) { return !(point.low <= point.high); }

// From the top. What has no place on a logarithmic axis, as 0, is at its lower edge.
double y_of(const Chart& chart, double value) {
  const double place = chart.y.place(value);
  return chart.height * (1 - (place >= 0 ? std::min(place, 1.0) : 0.0));
}

// Writes the lines of a chart.
class LineWriter {
 public:
  LineWriter(std::string& page, const Chart& chart) : page_(page), chart_(chart) {}

  void write(const Line& line) {
    const auto& points = line.points;
    for (std::size_t begin = 0; begin < points.size();) {
      if (is_gap(points[begin])) {
        ++begin;
        continue;
      }
      std::size_t end = begin;
      while (end < points.size() && !is_gap(points[end])) ++end;
      write(line, begin, end);
      begin = end;
    }
  }

 private:
  double x(const Point& point) const { return view_width * chart_.x.place(point.x); }
  double y(double value) const { return y_of(chart_, value); }
  void append(char command, double x, double y) {
    page_ += command;
    append_coordinate(page_, x);
    page_ += ' ';
    append_coordinate(page_, y);
  }

  // One stretch without gaps. Where points stand for several values it is an area between their extremes.
  void write(const Line& line, std::size_t begin, std::size_t end) {
    const auto& points = line.points;
    bool is_area = false;
    for (std::size_t i = begin; i < end; ++i) is_area = is_area || points[i].low < points[i].high;
    page_ += is_area ? "<path class=\"area " : "<path class=\"line ";
    page_ += line.style;
    page_ += "\" d=\"";
    for (std::size_t i = begin; i < end; ++i) append(i == begin ? 'M' : 'L', x(points[i]), y(points[i].high));
    if (is_area) {
      for (std::size_t i = end; i-- > begin;) append('L', x(points[i]), y(points[i].low));
      page_ += 'Z';
    } else if (end == begin + 1) {
      page_ += "h0";  // with round ends a dot
    }
    page_ += "\"/>";
    constexpr std::size_t max_dots = 80;
    if (!line.dots || is_area || end - begin > max_dots) return;
    page_ += "<path class=\"dots ";
    page_ += line.style;
    page_ += "\" d=\"";
    for (std::size_t i = begin; i < end; ++i) {
      append('M', x(points[i]), y(points[i].high));
      page_ += "h0";
    }
    page_ += "\"/>";
  }

  std::string& page_;
  const Chart& chart_;
};

void append_y_axis(std::string& page, const Chart& chart) {
  for (const double tick : chart.y.ticks) {
    const double y = y_of(chart, tick);
    page += "<line class=\"grid\" x2=\"100%\" y1=\"";
    append_coordinate(page, y);
    page += "\" y2=\"";
    append_coordinate(page, y);
    page += "\"/><text class=\"tick\" x=\"-8\" dy=\".32em\" text-anchor=\"end\" y=\"";
    append_coordinate(page, y);
    page += "\">" + tick_label(chart.y, tick) + "</text>";
  }
}

const Point* last_point(const Line& line) {
  for (auto point = line.points.rbegin(); point != line.points.rend(); ++point)
    if (!is_gap(*point)) return &*point;
  return nullptr;
}

std::string label_of(const Line& line) {
  if (!line.label.empty()) return line.label;
  const Point* last = last_point(line);
  return last ? line.name + " " + four_digits(last->value) : line.name;
}

// The labels at the right end of the lines, moved apart where they would overlap.
void append_end_labels(std::string& page, const Chart& chart) {
  constexpr double line_height = 15;
  std::vector<const Line*> lines;
  std::vector<double> wanted;
  for (const Line& line : chart.lines) {
    const Point* last = last_point(line);
    if (!last) continue;
    lines.push_back(&line);
    wanted.push_back(y_of(chart, last->value));
  }
  const auto places = spread(wanted, line_height, 4, chart.height - 4.0);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    page += "<text class=\"end t-" + lines[i]->style + "\" x=\"100%\" dx=\"8\" dy=\".32em\" y=\"";
    append_coordinate(page, places[i]);
    page += "\">";
    append_escaped(page, label_of(*lines[i]));
    page += "</text>";
  }
}

void append_key(std::string& page, const Chart& chart) {
  page += "<ul class=\"key\" aria-hidden=\"true\">";
  for (const Line& line : chart.lines) {
    page += "<li><svg width=\"22\" height=\"10\"><path class=\"line " + line.style + "\" d=\"M2 5H20\"/></svg>";
    append_escaped(page, label_of(line));
    page += "</li>";
  }
  page += "</ul>";
}

// Whether some values have no place on the axis.
bool has_zeros(const Chart& chart) {
  const auto is_zero = [](const Point& point) { return point.low <= 0; };
  return chart.y.is_log &&
         std::ranges::any_of(chart.lines, [&](const Line& line) { return std::ranges::any_of(line.points, is_zero); });
}

void append_marks(std::string& page, const Chart& chart) {
  for (const Level& level : chart.levels) {
    const double y = y_of(chart, level.y);
    page += "<line class=\"level " + level.style + "\" x2=\"100%\" y1=\"";
    append_coordinate(page, y);
    page += "\" y2=\"";
    append_coordinate(page, y);
    page += "\"/><text class=\"note t-" + level.style + "\" x=\"6\" y=\"";
    append_coordinate(page, y > 18 ? y - 5 : y + 13);
    page += "\">";
    append_escaped(page, level.label);
    page += "</text>";
  }
  for (const Moment& moment : chart.moments) {
    const double place = chart.x.place(moment.x);
    if (!(place >= 0 && place <= 1)) continue;
    page += "<line class=\"moment " + moment.style + "\" x1=\"";
    append_percent(page, place);
    page += "\" x2=\"";
    append_percent(page, place);
    page += "\" y2=\"" + std::to_string(chart.height) + "\"><title>";
    append_escaped(page, moment.text);
    page += "</title></line>";
  }
}

void append_spots(std::string& page, const Chart& chart) {
  for (const Spot& spot : chart.spots) {
    const double place = chart.x.place(spot.x), y = y_of(chart, spot.y);
    if (!std::isfinite(spot.y) || !(place >= 0 && place <= 1)) continue;
    page += "<circle class=\"spot " + spot.style + "\" r=\"5\" cx=\"";
    append_percent(page, place);
    page += "\" cy=\"";
    append_coordinate(page, y);
    // The label stands on the side on which there is room.
    const char* anchor = place < 0.2 ? "start" : place > 0.8 ? "end" : "middle";
    page += std::string("\"/><text class=\"spot t-") + spot.style + "\" text-anchor=\"" + anchor + "\" x=\"";
    append_percent(page, place);
    page += "\" y=\"";
    append_coordinate(page, y > 40 ? y - 11 : y + 20);
    page += "\">";
    append_escaped(page, spot.label);
    page += "</text>";
  }
}

}  // namespace

std::vector<Point> points_of(const Curve& curve) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<Point> points;
  points.reserve(curve.buckets().size());
  for (const Bucket& b : curve.buckets()) {
    const double x = (static_cast<double>(b.first) + static_cast<double>(b.last)) / 2;
    if (b.is_gap())
      points.push_back({x, nan, nan, nan});
    else
      points.push_back({x, b.low, b.high, b.value});
  }
  return points;
}

std::vector<double> spread(const std::vector<double>& wanted, double distance, double low, double high) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return wanted[i]; });
  std::vector<double> places(wanted.size());
  double next = low;
  for (const std::size_t i : order) {
    places[i] = std::max(wanted[i], next);
    next = places[i] + distance;
  }
  next = high;
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    places[*i] = std::min(places[*i], next);
    next = places[*i] - distance;
  }
  return places;
}

void append_chart(std::string& page, const Chart& chart) {
  append_key(page, chart);
  append_svg_start(page, chart.id, "plot", chart.height, chart.title, chart.description);
  append_y_axis(page, chart);
  append_x_axis(page, chart.x, chart.height, chart.x_name);
  const std::string height = std::to_string(chart.height);
  page += "<svg width=\"100%\" height=\"" + height + "\" viewBox=\"0 0 1000 " + height +
          "\" preserveAspectRatio=\"none\" overflow=\"visible\">";
  LineWriter writer(page, chart);
  for (const Line& line : chart.lines) writer.write(line);
  page += "</svg>";
  append_marks(page, chart);
  append_spots(page, chart);
  append_end_labels(page, chart);
  page += "</svg>";
  if (has_zeros(chart))
    page += "<p class=\"small\">Values of 0 are drawn at the lower edge, as the axis is logarithmic.</p>";
}

}  // namespace handrail::train::html
