#pragma once

#include <cstdint>
#include <functional>

namespace handrail::optim {

/// The learning rate as a pure function of the optimizer step, 1 for the first update: nothing to
/// save, nothing to resume. Beyond the last planned step it stays where it ended.
using Schedule = std::function<double(std::int64_t step)>;

/// Always `lr`.
Schedule constant(double lr);

struct WarmupOptions {
  double peak;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps;
  double floor = 0;  // what the rate falls to, reached one step after the last
};

/// peak * k / warmup_steps up to the peak, so that no update is at rate zero and none jumps, then half
/// a cosine down to the floor (Loshchilov and Hutter 2017, eq. 5). Throws OptionError unless 0 <= warmup_steps <
/// total_steps and 0 <= floor <= peak.
Schedule warmup_cosine(const WarmupOptions& options);
/// The same warmup, then a straight line down to the floor.
Schedule warmup_linear(const WarmupOptions& options);

}  // namespace handrail::optim
