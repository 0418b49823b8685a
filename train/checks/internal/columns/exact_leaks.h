#pragma once

#include <optional>

#include <handrail/train/checks/internal/drift_checks.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Targets that are exactly in the inputs, though in no column alone. Both report "label_leak".

namespace handrail::train {

/// A weighted sum of 2 to 4 columns is the target: it leaves less than a millionth of its variance, which no measured
/// target does, and at least one more column varies. At most 64 columns, and 5 rows for each.
std::optional<Anomaly> find_exact_sum(const Described& train, Task task);

/// Groups of equal values in a column are the mean target of their rows (or, of several classes, the share of one), up
/// to a factor and an offset: T, the sum of the squared deviations of the group means from a line through them in
/// standard errors, is below 0.005 for each degree of freedom. By chance T has a chi squared distribution: that is less
/// than 1e-4 for 4 groups that are the means themselves, and less than 1e-6 for 8 groups, which a line needs at least.
/// Means of the training rows alone are usual as a code of large groups: the validation rows have to obey too, or a
/// group has at most 10 rows on average.
/// validation: null for none.
std::optional<Anomaly> find_encoded_target(const Described& train, const Described* validation, Task task);

}  // namespace handrail::train
