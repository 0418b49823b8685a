#pragma once

#include <optional>
#include <span>

#include <handrail/train/checks/internal/neighbours/points.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// Reports "near_duplicates": 5 % of the validation rows, and 5, are nearer to a training row, but not equal to it,
/// than a tenth of the usual distance to the tenth neighbour, and this is 3 times as common as among training rows, by
/// 4 standard errors; or 30 % are nearer than a hundredth of it; or 30 % are nearer than a fifth of it, where less than
/// 10 % should be in the number of dimensions that the distances to the 20th and the 60th neighbour tell. At least 3
/// columns that vary, and 20 validation rows.
/// points: training rows. queries: validation rows. of_train, of_validation: the nearest points of some training rows
/// and of the queries.
std::optional<Anomaly> near_duplicates(const Described& train, const DataTable& validation, const Points& points,
                                       const Points& queries, std::span<const Neighbour> of_train,
                                       std::span<const Neighbour> of_validation);

/// Reports "near_duplicates" when validation rows have a small group of training rows about them, such as the other
/// rows of a patient. The distances to the k-th and the next neighbour differ by a jump: k times the difference of
/// their logarithms, which is 1 / d on average for any k where points have a density in d dimensions, is in the mean
/// over at least 50 validation rows, for a k of at most 12, more than twice what it is for k from 21 to 40. This mean
/// has a standard error of 1 / (d sqrt(rows)), so that the bound is 7 standard errors away or more. Pairs with a
/// distance of 0 are left out.
std::optional<Anomaly> find_groups(const DataTable& validation, const Points& points, const Points& queries,
                                   std::span<const Neighbour> of_train, std::span<const Neighbour> of_validation);

}  // namespace handrail::train
