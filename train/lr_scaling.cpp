#include <handrail/train/lr_scaling.h>

#include <cmath>
#include <string_view>

namespace handrail::train {

double lr_scale(LrScaling scaling, const optim::Optimizer& optimizer, Index batch) {
  const double ratio = static_cast<double>(batch) / static_cast<double>(reference_batch);
  const bool adam = std::string_view(optimizer.name()).starts_with("Adam");
  if (scaling == LrScaling::automatic) scaling = adam ? LrScaling::sqrt : LrScaling::linear;
  switch (scaling) {
    case LrScaling::linear:
      return ratio;
    case LrScaling::sqrt:
      return std::sqrt(ratio);
    case LrScaling::automatic:
    case LrScaling::none:
      break;
  }
  return 1;
}

}  // namespace handrail::train
