#include <handrail/train/checks/internal/recoding.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include <handrail/train/files/text.h>
#include <handrail/core/error.h>

namespace handrail::train {

std::string describe_recoding(std::span<const std::size_t> counts, std::size_t classes) {
  constexpr std::size_t min_rows = 5, max_listed = 3;
  std::vector<std::size_t> times(classes);  // how often a class is the prediction for a label
  std::vector<std::size_t> moved, predicted(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    const auto row = counts.subspan(c * classes, classes);
    const std::size_t rows = std::accumulate(row.begin(), row.end(), std::size_t{0});
    const auto best = std::ranges::max_element(row);
    predicted[c] = static_cast<std::size_t>(best - row.begin());
    if (rows >= min_rows && 10 * *best >= 6 * rows) ++times[predicted[c]];
    if (rows >= min_rows && 10 * *best >= 6 * rows && predicted[c] != c && 10 * row[c] <= rows) moved.push_back(c);
  }
  std::erase_if(moved, [&](std::size_t c) { return times[predicted[c]] > 1; });
  if (moved.size() < 2) return {};
  std::string text;
  for (std::size_t k = 0; k < std::min(max_listed, moved.size()); ++k)
    text += concat(k == 0 ? "" : ", ", moved[k], " for ", predicted[moved[k]]);
  return text + (moved.size() > max_listed ? ", ..." : "");
}

}  // namespace handrail::train
