#pragma once

#include <span>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// The medians of these columns of values [rows, width], of an even number the lower one of the two in the middle, as
/// torch.median; NaN is left out. A column must have another value. Takes no memory that grows with the rows.
std::vector<Scalar> column_medians(const Tensor& values, std::span<const Index> columns);

}  // namespace handrail::train
