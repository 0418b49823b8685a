// The anomalies of a run over its steps.
#include <algorithm>
#include <set>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/pages/sections.h>
#include <handrail/train/report/html/internal/charts/svg.h>

namespace handrail::train::html {

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
  const std::int64_t resumed_at = run.record.resumed_at;
  append_heading(page, "h3",
                 resumed_at > 0 ? concat("Anomalies since step ", grouped(resumed_at)) : "Anomalies over time");
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
      append_percent(at, place);
      page += concat("<line class=\"tickmark ", is_warning ? "warn" : "note", "\" x1=\"", at, "\" x2=\"", at,
                     "\" y1=\"", top + 4, "\" y2=\"", top + row_height - 4, "\"><title>");
      append_escaped(page, anomaly.headline());
      page += "</title></line>";
    }
    page += concat("<text class=\"spot\" x=\"100%\" dx=\"8\" dy=\".32em\" y=\"", top + row_height / 2.0, "\">");
    append_escaped(page, shortened(names[r], 20));
    page += "</text>";
  }
  page += "</svg></figure>\n";
  if (rows < names.size())
    append_paragraph(page, "small", concat(names.size() - rows, " more kinds of anomalies are not drawn."));
}

}  // namespace handrail::train::html
