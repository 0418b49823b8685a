#pragma once

#include <optional>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/report/events.h>

// The columns are the numbers of one sample, in row-major order. The scale of a column is the root mean square
// deviation from its usual value (the median of five rows) over the rows that deviate from it, so that a pixel or a
// word that is rarely there has no small scale. Both checks read at most 20,000 rows, evenly spaced.

namespace handrail::train {

/// Names "input_scale" when the root mean square of the inputs that are not 0 is above 5 or below 0.04, when the scales
/// of two columns differ by a factor of more than 100, or when the usual value of a column is more than 50 times its
/// scale away from 0. A column that has its usual value in at least 95 % of the rows is not compared.
/// The check is not for a model whose first layer normalises its inputs.
std::optional<Anomaly> check_input_scale(const DataPart& train);

/// Names "target_scale" when, for a column of a regression's targets, the root mean square of the values that are not 0
/// is above 100, the scale is below 0.001, or the usual value is more than 50 times the scale away from 0.
std::optional<Anomaly> check_target_scale(const DataPart& train);

}  // namespace handrail::train
