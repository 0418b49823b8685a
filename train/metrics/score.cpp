#include <handrail/train/metrics/score.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/math/robust.h>
#include <handrail/train/math/student.h>

namespace handrail::train {

Score score_of(std::vector<double> values, Index planned_folds) {
  const Index count = std::ssize(values);
  const Moments m = moments(values);
  double half = std::numeric_limits<double>::infinity();
  if (count > 1) {
    // The ratio of the rows of a fold to those that are trained on is 1 / (planned_folds - 1).
    const double test_share = 1 / static_cast<double>(planned_folds - 1);
    const double correction = std::sqrt(1 + static_cast<double>(count) * test_share);
    half = student_bound(0.95, count - 1) * m.error * correction;
  }
  return {.folds = std::move(values),
          .planned_folds = planned_folds,
          .mean = m.mean,
          .low = m.mean - half,
          .high = m.mean + half};
}

Score operator-(const Score& a, const Score& b) {
  if (a.planned_folds != b.planned_folds || a.folds.size() != b.folds.size())
    fail<OptionError>("Score: want two scores on the same folds; got ", a.folds.size(), " and ", b.folds.size(),
                      " folds");
  std::vector<double> differences(a.folds.size());
  std::ranges::transform(a.folds, b.folds, differences.begin(), std::minus());
  return score_of(std::move(differences), a.planned_folds);
}

}  // namespace handrail::train
