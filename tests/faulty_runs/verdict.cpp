#include "verdict.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace faulty_runs {
namespace {

constexpr double margin = 0.02;  // of accuracy or R2
constexpr double min_z = 2;      // standard errors
constexpr std::size_t top_names = 3;

struct Mean {
  double value, variance;  // the variance is that of one element
};
template <class F>
Mean mean_of(std::size_t count, F&& element) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto x = static_cast<double>(element(i));
    sum += x;
    squares += x * x;
  }
  const auto n = static_cast<double>(count);
  return {sum / n, std::max(0.0, squares / n - sum * sum / (n * n))};
}

bool exceeds(double loss, double variance) { return loss > margin && loss > min_z * std::sqrt(variance); }

}  // namespace

const char* to_string(Verdict verdict) {
  constexpr const char* names[verdicts] = {"refused", "prevented", "first",  "three",
                                           "symptom", "wrong",     "silent", "broken"};
  return names[static_cast<int>(verdict)];
}

bool is_harmful(Harm harm, const Outcome& run, const Outcome& healthy) {
  const std::size_t rows = std::min(run.credits.size(), healthy.credits.size());
  if (rows == 0) return run.end == End::trained;
  const auto n = static_cast<double>(rows);
  const Mean worse = mean_of(rows, [&](std::size_t i) { return healthy.credits[i] - run.credits[i]; });
  if (exceeds(worse.value, worse.variance / n)) return true;
  if (harm == Harm::score || !run.reported) return false;
  const Mean own = mean_of(rows, [&](std::size_t i) { return run.credits[i]; });
  return exceeds(std::abs(*run.reported - own.value),
                 own.variance * (1 / n + 1 / static_cast<double>(run.validation_rows)));
}

bool names_it(const Fault& fault, const Outcome& run, std::size_t count) {
  const std::span shown(run.diagnosis.data(), std::min(count, run.diagnosis.size()));
  return std::ranges::any_of(
      shown, [&](const Finding& finding) { return std::ranges::count(fault.causes, finding.name) > 0; });
}

Verdict judge(const Fault& fault, const Outcome& run, const Outcome& healthy) {
  if (run.end == End::crashed || run.end == End::timed_out) return Verdict::broken;
  if (run.end == End::refused) {
    const bool names = std::ranges::any_of(
        fault.refusal, [&](const std::string& word) { return run.error.find(word) != std::string::npos; });
    return names ? Verdict::refused : Verdict::wrong;
  }
  if (names_it(fault, run, 1)) return Verdict::first;
  if (names_it(fault, run, top_names)) return Verdict::among_three;
  const Finding* said = first_warning(run);
  if (said && said->is_cause) return Verdict::wrong;
  if (!is_harmful(fault.harm, run, healthy)) return Verdict::prevented;
  return said ? Verdict::symptom : Verdict::silent;
}

}  // namespace faulty_runs
