#include <handrail/train/lr/lr_scaling.h>

#include <cmath>
#include <string_view>

namespace handrail::train {

bool is_adam_like(const optim::Optimizer& optimizer) { return std::string_view(optimizer.name()).starts_with("Adam"); }

double lr_scale(LrScaling scaling, const optim::Optimizer& optimizer, Index batch) {
  const double ratio = static_cast<double>(batch) / static_cast<double>(reference_batch);
  if (scaling == LrScaling::automatic) scaling = is_adam_like(optimizer) ? LrScaling::sqrt : LrScaling::linear;
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
