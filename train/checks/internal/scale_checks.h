#pragma once

#include <optional>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/report/events.h>

// Columns are the numbers of one sample in a row. The scale of a column is the root mean square
// deviation from its usual value, among the rows that deviate from it: a pixel or a word that is
// rarely there is not small for that. Both checks look at 20,000 rows at most, evenly spaced.

namespace handrail::train {

/// "input_scale": values whose root mean square (of those that are not 0) is above 5 or below 0.04,
/// columns whose scales differ by more than 100, or one that lies 50 times its scale away from 0.
/// Columns that are as usual in more than 95 % of the rows are not compared.
/// Takes the inputs as they come: not for a model whose first layer normalises them.
std::optional<Anomaly> check_input_scale(const DataPart& train);

/// "target_scale": for a regression, a column of the targets whose root mean square (without zeros) is
/// above 100, whose scale is below 0.001, or that lies 50 times its scale away from 0.
std::optional<Anomaly> check_target_scale(const DataPart& train);

}  // namespace handrail::train
