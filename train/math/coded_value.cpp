#include <handrail/train/math/coded_value.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

bool is_usual_code(double value) {
  for (double code = 9; code < 1e10; code = 10 * code + 9)
    if (value == -code || (value == code && code > 9)) return true;
  return value == -32768 || value == 32767;
}

// 9, 99, ... in a survey, whose other answers are whole numbers one after another, or measurements.
bool is_survey_code(double value) { return value == 9 || (value > 0 && is_usual_code(value)); }

// The values before and after a run of equal ones, which are the other values of a column.
struct Others {
  std::span<const Scalar> below, above;

  std::size_t size() const { return below.size() + above.size(); }
  double at(std::size_t i) const { return static_cast<double>(i < below.size() ? below[i] : above[i - below.size()]); }
  bool are_answers() const {
    constexpr double most = 8;
    const double low = at(0), high = at(size() - 1);
    return low == std::floor(low) && high - low < most && static_cast<double>(different()) == high - low + 1;
  }
  double quantile(double share) const { return at(static_cast<std::size_t>(share * static_cast<double>(size() - 1))); }
  std::size_t different() const { return count_different(below) + count_different(above); }
};

std::optional<CodedValue> look_at(std::span<const Scalar> values, Scalar candidate) {
  constexpr std::size_t min_count = 3, min_others = 10;
  constexpr double min_share = 0.002, min_code_share = 0.01;
  const auto [first, last] = std::equal_range(values.begin(), values.end(), candidate);
  const auto from = static_cast<std::size_t>(first - values.begin()), count = static_cast<std::size_t>(last - first);
  const Others others{values.first(from), values.subspan(from + count)};
  const auto n = static_cast<double>(values.size()), occurs = static_cast<double>(count);
  if (count < min_count || occurs < min_share * n || others.size() < min_others) return std::nullopt;

  const auto value = static_cast<double>(candidate);
  const double range = others.quantile(0.9) - others.quantile(0.1);
  if (!(range > 0)) return std::nullopt;
  const auto different = static_cast<double>(others.different()), rest = static_cast<double>(others.size());
  const double gap = !others.below.empty() && !others.above.empty() ? 0
                     : others.below.empty()                         ? others.at(0) - value
                                                                    : value - others.at(others.size() - 1);
  const bool code = is_usual_code(value), often = occurs >= min_code_share * n;
  // Where others are as far away, it is one outlier among several.
  const bool alone = others.at(others.size() - 1) - others.at(0) < gap;
  const bool apart = gap > 3 * range && (code || (different >= 10 && alone));
  const bool beside = (code || value == 0 || value == -1) && often && gap > 0.5 * range && different >= 20 &&
                      occurs > 5 * rest / different && (code || occurs < rest);
  const bool among = code && often && different > 0.95 * rest;
  const bool answer = is_survey_code(value) && often && gap > 2 && gap > 0.5 * range &&
                      (others.are_answers() || different > 0.95 * rest);
  if (!apart && !beside && !among && !answer) return std::nullopt;
  return CodedValue{value,
                    count,
                    others.at(0),
                    others.at(others.size() - 1),
                    apart || among || value != 0 || gap > range,
                    code || answer || value == 0 || value == -1};
}

}  // namespace

std::optional<CodedValue> find_coded_value(std::span<const Scalar> values) {
  if (values.empty()) return std::nullopt;
  Scalar commonest = values.front();
  std::size_t longest = 0, run = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    run = i > 0 && values[i] == values[i - 1] ? run + 1 : 1;
    if (run > longest) longest = run, commonest = values[i];
  }
  for (const Scalar candidate : {values.front(), values.back(), commonest})
    if (auto found = look_at(values, candidate)) return found;
  return std::nullopt;
}

}  // namespace handrail::train
