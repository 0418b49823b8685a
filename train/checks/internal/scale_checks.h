#pragma once

#include <optional>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/report/events.h>

// A sample is read as one row of numbers; a column is one of its places. The usual value of a column is the median of 5
// rows. The scale of a column is the root mean square deviation from its usual value, taken over the rows that deviate:
// a pixel or a word that occurs rarely does not have a small scale because of that. Both checks read at most 5,000
// rows, evenly spaced.

namespace handrail::train {

/// Whether inputs of this root mean square, zeros not counted, suit the initial weights: from 0.04 to 5, or 0, which is
/// that of zeros alone.
bool is_usual_scale(double root_mean_square);

/// Reports "input_scale" when the inputs are not roughly normalised. One of these is enough:
///   root mean square of all values that are not 0   above 5 or below 0.04
///   largest scale of a column / smallest scale      above 100
///   |usual value| of a column / its scale           above 50, or above 10 in the median over 2 columns or more: the
///                                                   loss is then 100 times as curved along the common offset as along
///                                                   what tells the rows apart
/// Columns that have their usual value in 95 % of the rows or more are left out of the last two.
/// Looks at the inputs as the model gets them. A model whose first layer normalises them needs no such check.
std::optional<Anomaly> check_input_scale(const DataPart& train);

/// Reports "target_scale" when a column of the targets of a regression is not roughly normalised. One of these is
/// enough:
///   root mean square of its values that are not 0   above 100
///   its scale                                       above 0 and below 0.001
///   its |usual value| / its scale                   above 50
std::optional<Anomaly> check_target_scale(const DataPart& train);

}  // namespace handrail::train
