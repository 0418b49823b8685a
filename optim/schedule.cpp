#include <handrail/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <handrail/core/error.h>

namespace handrail::optim {
namespace {

// A warmup, then floor + (peak - floor) * shape(progress). Progress is 0 at the peak and reaches 1 one step after the
// last, so that no update is spent at a rate of zero.
template <class Shape>
Schedule warmup_then(const char* name, const WarmupOptions& o, Shape shape) {
  TextStream wrong;
  if (!(o.peak > 0 && std::isfinite(o.peak))) wrong << "\n  want peak > 0; got " << o.peak;
  if (!(o.floor >= 0 && o.floor <= o.peak)) wrong << "\n  want floor in [0, peak]; got " << o.floor;
  if (o.warmup_steps < 0 || o.warmup_steps >= o.total_steps)
    wrong << "\n  want 0 <= warmup_steps < total_steps; got " << o.warmup_steps << " and " << o.total_steps;
  if (!wrong.str().empty()) fail<OptionError>(name, ":", wrong.str());
  return [o, shape](std::int64_t step) {
    step = std::clamp<std::int64_t>(step, 1, o.total_steps);
    if (step <= o.warmup_steps) return o.peak * static_cast<double>(step) / static_cast<double>(o.warmup_steps);
    const std::int64_t peak_step = std::max<std::int64_t>(o.warmup_steps, 1);
    const double progress = static_cast<double>(step - peak_step) / static_cast<double>(o.total_steps - peak_step + 1);
    return o.floor + (o.peak - o.floor) * shape(progress);
  };
}

}  // namespace

Schedule constant(double lr) {
  if (!(lr > 0 && std::isfinite(lr))) fail<OptionError>("constant: want a rate > 0; got ", lr);
  return [lr](std::int64_t) { return lr; };
}

Schedule warmup_cosine(const WarmupOptions& options) {
  return warmup_then("warmup_cosine", options,
                     [](double progress) { return (1 + std::cos(std::numbers::pi * progress)) / 2; });
}

Schedule warmup_linear(const WarmupOptions& options) {
  return warmup_then("warmup_linear", options, [](double progress) { return 1 - progress; });
}

}  // namespace handrail::optim
