#include <handrail/train/guards/internal/scale_watch.h>

#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/scale_checks.h>
#include <handrail/train/files/text.h>

namespace handrail::train {

std::optional<Anomaly> ScaleWatch::add(std::int64_t step, const Tensor& inputs) {
  constexpr int batches = 8;
  if (batches_ == batches) [[likely]]
    return std::nullopt;
  for (const Scalar x : inputs.span()) {
    if (x == 0 || !is_finite(x)) continue;
    squares_ += static_cast<double>(x) * static_cast<double>(x);
    ++nonzero_;
  }
  if (++batches_ < batches || nonzero_ == 0) return std::nullopt;
  const double value = std::sqrt(squares_ / nonzero_);
  if (is_usual_scale(value)) return std::nullopt;
  return Anomaly{.name = "input_scale",
                 .step = step,
                 .where = "inputs of the loop",
                 .evidence = concat("root mean square ", short_form(value), ", want about 1"),
                 .cause =
                     "raw data, or a step that scales them twice or not at all: the initial weights and the learning "
                     "rate suit inputs with mean 0 and standard deviation 1",
                 .remedy = "standardise them, in use too",
                 .details = concat("over the first ", batches, " batches, zeros not counted")};
}

}  // namespace handrail::train
