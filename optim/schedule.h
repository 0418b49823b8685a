#pragma once

#include <cstdint>
#include <functional>

namespace handrail::optim {

/// The learning rate as a pure function of the optimizer step, which is 1 for the first update. It has no state to save
/// or to resume. Schedules with an end keep their last rate after it.
using Schedule = std::function<double(std::int64_t step)>;

/// The rate `lr` at every step. Throws OptionError unless lr is above 0 and finite.
Schedule constant(double lr);

/// The options of warmup_cosine and warmup_linear.
struct WarmupOptions {
  double peak;                    // the highest learning rate
  std::int64_t warmup_steps = 0;  // optimizer steps up to the peak
  std::int64_t total_steps;       // optimizer steps in all, the warmup included
  double floor = 0;               // the rate that is reached one step after the last
};

/// A warmup in a straight line, peak * step / warmup_steps, then half a cosine from the peak down to the floor
/// (Loshchilov and Hutter 2017, eq. 5). No step has the rate 0. Throws OptionError listing every problem: peak not
/// above 0 or not finite, floor outside [0, peak], warmup_steps outside [0, total_steps).
Schedule warmup_cosine(const WarmupOptions& options);
/// A warmup in a straight line, as in warmup_cosine, then a straight line from the peak down to the floor. Throws what
/// warmup_cosine throws.
Schedule warmup_linear(const WarmupOptions& options);

}  // namespace handrail::optim
