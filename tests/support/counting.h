#pragma once

#include <cstddef>
#include <numeric>
#include <vector>

#include <handrail/train/data/dataset.h>

/// Row i has the inputs (i, -i) and the target i.
inline handrail::train::TensorDataset counting(handrail::Index rows) {
  const handrail::Tensor inputs({rows, 2}), targets(handrail::Shape{rows});
  for (handrail::Index i = 0; i < rows; ++i) {
    inputs.mutable_data()[2 * i] = static_cast<handrail::Scalar>(i);
    inputs.mutable_data()[2 * i + 1] = static_cast<handrail::Scalar>(-i);
    targets.mutable_data()[i] = static_cast<handrail::Scalar>(i);
  }
  return {inputs, targets};
}

/// 0, 1, ..., count - 1.
inline std::vector<handrail::Index> range(handrail::Index count) {
  std::vector<handrail::Index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), handrail::Index{0});
  return rows;
}
