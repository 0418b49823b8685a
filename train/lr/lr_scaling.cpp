#include <handrail/train/lr/lr_scaling.h>

#include <cmath>

namespace handrail::train {

double lr_scale(LrScaling scaling, const optim::Optimizer& optimizer, Index batch) {
  const double ratio = static_cast<double>(batch) / static_cast<double>(reference_batch);
  if (scaling == LrScaling::automatic)
    scaling = optimizer.batch_scaling() == optim::BatchScaling::sqrt ? LrScaling::sqrt : LrScaling::linear;
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
