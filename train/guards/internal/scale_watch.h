#pragma once

#include <cstdint>
#include <optional>

#include <handrail/core/tensor.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// Looks at the inputs of the first 8 batches of a loop, and reports "input_scale" when the root mean square of those
/// that are not 0 is above 5 or below 0.04, as check_input_scale does for a data set. It allocates no memory.
class ScaleWatch {
 public:
  /// Adds the inputs of a step.
  std::optional<Anomaly> add(std::int64_t step, const Tensor& inputs);

 private:
  int batches_ = 0;
  double squares_ = 0, nonzero_ = 0;
};

}  // namespace handrail::train
