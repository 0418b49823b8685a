// The confusion matrix, the settings, and the machine.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include <handrail/core/error.h>
#include <handrail/core/system/build.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/pages/sections.h>

namespace handrail::train::html {
namespace {

constexpr Index max_classes = 30;  // of a matrix that is a table

std::string class_name(const std::vector<std::string>& names, Index number, Index classes) {
  return std::ssize(names) == classes ? names[static_cast<std::size_t>(number)] : std::to_string(number);
}

std::string percent(Index part, Index whole) {
  return whole == 0 ? "\u2013" : fixed_form(100 * static_cast<double>(part) / static_cast<double>(whole), 1);
}

void append_matrix(std::string& page, const Confusion& matrix, const std::vector<std::string>& names) {
  const Index n = matrix.classes();
  const auto head = [&](const char* scope, Index c) {
    page += concat("<th scope=\"", scope, "\">");
    append_escaped(page, shortened(class_name(names, c, n), 24));
    page += "</th>";
  };
  page += "<div class=\"wide\"><table class=\"confusion\"><thead><tr><th scope=\"col\">true \\ predicted</th>";
  for (Index c = 0; c < n; ++c) head("col", c);
  page += "<th scope=\"col\" class=\"r\">recall, %</th></tr></thead><tbody>\n";
  std::vector<Index> predicted(static_cast<std::size_t>(n));
  for (Index t = 0; t < n; ++t) {
    Index total = 0;
    for (Index p = 0; p < n; ++p) {
      total += matrix.count(t, p);
      predicted[static_cast<std::size_t>(p)] += matrix.count(t, p);
    }
    page += "<tr>";
    head("row", t);
    for (Index p = 0; p < n; ++p) {
      const Index count = matrix.count(t, p);
      const double share = total > 0 ? static_cast<double>(count) / static_cast<double>(total) : 0;
      if (count == 0)
        page += "<td class=\"d0\">\u00b7</td>";
      else
        page += concat("<td class=\"d", 1 + std::lround(7 * share), "\">", grouped(count), "</td>");
    }
    page += "<td class=\"r\">" + percent(matrix.count(t, t), total) + "</td></tr>\n";
  }
  page += "<tr><th scope=\"row\" class=\"r\">precision, %</th>";
  for (Index c = 0; c < n; ++c)
    page += "<td class=\"r\">" + percent(matrix.count(c, c), predicted[static_cast<std::size_t>(c)]) + "</td>";
  page += "<td></td></tr>\n</tbody></table></div>\n";
}

// Of many classes the pairs that are confused most.
void append_confused_pairs(std::string& page, const Confusion& matrix, const std::vector<std::string>& names) {
  struct Pair {
    Index truth, predicted, count;
  };
  std::vector<Pair> pairs;
  for (Index t = 0; t < matrix.classes(); ++t)
    for (Index p = 0; p < matrix.classes(); ++p)
      if (t != p && matrix.count(t, p) > 0) pairs.push_back({t, p, matrix.count(t, p)});
  std::ranges::stable_sort(pairs, std::greater{}, &Pair::count);
  if (pairs.size() > 20) pairs.resize(20);
  append_paragraph(page, "small", concat("The pairs that are confused most, of ", matrix.classes(), " classes."));
  page +=
      "<table><thead><tr><th scope=\"col\">true class</th><th scope=\"col\">predicted</th>"
      "<th scope=\"col\" class=\"num\">samples</th></tr></thead><tbody>\n";
  for (const Pair& pair : pairs) {
    page += "<tr><th scope=\"row\">";
    append_escaped(page, class_name(names, pair.truth, matrix.classes()));
    page += "</th><td>";
    append_escaped(page, class_name(names, pair.predicted, matrix.classes()));
    page += "</td><td class=\"num\">" + grouped(pair.count) + "</td></tr>\n";
  }
  page += "</tbody></table>\n";
}

void append_items(std::string& page, const std::vector<SummaryItem>& items, bool opted_out) {
  for (const SummaryItem& item : items) {
    if ((item.off || item.limit) != opted_out) continue;
    page += "<tr><th scope=\"row\">";
    append_escaped(page, item.name);
    page += opted_out ? "</th><td class=\"off\">" : "</th><td>";
    append_escaped(page, concat(item.off ? "off: " : item.limit ? "limited: " : "", item.value));
    page += "</td></tr>\n";
  }
}

void append_item(std::string& page, const char* name, const std::string& value) {
  if (value.empty()) return;
  page += concat("<tr><th scope=\"row\">", name, "</th><td>");
  append_escaped(page, value);
  page += "</td></tr>\n";
}

constexpr const char* settings_table =
    "<table class=\"settings\"><thead><tr><th scope=\"col\">name</th><th "
    "scope=\"col\">value</th></tr></thead><tbody>\n";

}  // namespace

void append_confusion(std::string& page, const RunPage& run) {
  const FitEnd& result = run.result;
  const Confusion* matrix = nullptr;
  const char* which = "the last evaluation";
  if (result.validation && result.validation->measured_confusion) matrix = &*result.validation->measured_confusion;
  if (result.best && result.best->evaluation.measured_confusion) {
    matrix = &*result.best->evaluation.measured_confusion;
    which = "the best evaluation";
  }
  if (!matrix || matrix->classes() < 2) return;
  append_heading(page, "h2", "Confusion matrix");
  append_paragraph(page, "small",
                   concat("Validation samples of ", which, ": a row for each true class, a column for each ",
                          "predicted one. Colours are shares of the row."));
  if (matrix->classes() <= max_classes)
    append_matrix(page, *matrix, run.record.start.class_names);
  else
    append_confused_pairs(page, *matrix, run.record.start.class_names);
}

void append_settings(std::string& page, const RunPage& run) {
  const auto& items = run.result.summary;
  append_heading(page, "h2", "Settings");
  if (std::ranges::any_of(items, [](const SummaryItem& item) { return item.off || item.limit; })) {
    append_heading(page, "h3", "Turned off or limited");
    page += settings_table;
    append_items(page, items, true);
    page += "</tbody></table>\n";
  }
  append_heading(page, "h3", "In use");
  page += settings_table;
  append_items(page, items, false);
  page += "</tbody></table>\n";
  append_heading(page, "h2", "Machine and files");
  page += settings_table;
  append_item(page, "handrail", version());
  append_item(page, "build", build_description());
  append_item(page, "seed", std::to_string(run.record.start.seed));
  append_item(page, "directory", run.result.run_dir);
  append_item(page, "checkpoint", run.result.checkpoint);
  page += "</tbody></table>\n";
}

}  // namespace handrail::train::html
