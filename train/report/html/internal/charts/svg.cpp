#include <handrail/train/report/html/internal/charts/svg.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>

namespace handrail::train::html {

void append_coordinate(std::string& page, double value) {
  const double rounded = std::round(10 * value) / 10;
  if (rounded == std::floor(rounded))
    append_exact(page, static_cast<std::int64_t>(std::clamp(rounded, -1e9, 1e9)));
  else
    append_exact(page, rounded);
}

void append_percent(std::string& page, double share) {
  append_coordinate(page, 100 * std::clamp(share, 0.0, 1.0));
  page += '%';
}

void append_svg_start(std::string& page, const std::string& id, const std::string& style, double height,
                      const std::string& title, const std::string& description) {
  page += "<svg class=\"" + style + "\" role=\"img\" height=\"";
  append_coordinate(page, height);
  page += "\" aria-labelledby=\"" + id + "-t " + id + "-d\"><title id=\"" + id + "-t\">";
  append_escaped(page, title);
  page += "</title><desc id=\"" + id + "-d\">";
  append_escaped(page, description);
  page += "</desc>";
}

void append_x_axis(std::string& page, const Axis& axis, double height, const std::string& name, bool grid) {
  page += "<line class=\"axis\" x2=\"100%\" y1=\"";
  append_coordinate(page, height);
  page += "\" y2=\"";
  append_coordinate(page, height);
  page += "\"/>";
  bool minor = false;  // every other label is left out on a narrow page
  for (const double tick : axis.ticks) {
    const double place = axis.place(tick);
    if (!(place >= -1e-9 && place <= 1 + 1e-9)) continue;
    page += "<line class=\"";
    page += grid ? "grid" : "axis";
    page += "\" x1=\"";
    append_percent(page, place);
    page += "\" x2=\"";
    append_percent(page, place);
    page += "\" y1=\"";
    append_coordinate(page, grid ? 0 : height);
    page += "\" y2=\"";
    append_coordinate(page, height + 4);
    page += minor ? "\"/><text class=\"tick minor\" text-anchor=\"middle\" x=\""
                  : "\"/><text class=\"tick\" text-anchor=\"middle\" x=\"";
    append_percent(page, place);
    page += "\" y=\"";
    append_coordinate(page, height + 18);
    page += "\">" + tick_label(axis, tick) + "</text>";
    minor = !minor;
  }
  page += "<text class=\"tick name\" text-anchor=\"end\" x=\"100%\" y=\"";
  append_coordinate(page, height + 34);
  page += "\">";
  append_escaped(page, name);
  page += "</text>";
}

}  // namespace handrail::train::html
