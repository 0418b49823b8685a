// Schedules, of the part `variants`.
#include <algorithm>
#include <cmath>

#include "variants/variants.h"

namespace faulty_runs {
namespace {

using Rate = std::function<double(double lr, double step, double planned, double epochs)>;

Fault schedule(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
               const Rate& rate) {
  return {.name = name, .planted = planted, .causes = causes, .plant = [rate](Program& p) {
            p.overrides.schedule = [rate, epochs = static_cast<double>(p.options.epochs)](double lr,
                                                                                          std::int64_t planned) {
              return [=](std::int64_t step) {
                return rate(lr, static_cast<double>(step), static_cast<double>(planned), epochs);
              };
            };
          }};
}

}  // namespace

std::vector<Fault> schedule_variants() {
  return {
      schedule("gamma_of_1_3_each_epoch", "the rate is multiplied by 1.3 each epoch, where it should be 1 / 1.3",
               {"schedule_grows", "lr_too_high", "divergence", "spike"},
               [](double lr, double step, double planned, double epochs) {
                 return lr * std::pow(1.3, std::floor(step * epochs / (planned + 1)));
               }),
      schedule("inverse_time_decay_by_step", "the rate is divided by 1 + the step, where the epoch was meant",
               {"schedule_ends_early"}, [](double lr, double step, double, double) { return lr / (1 + step); }),
      schedule("warmup_longer_than_the_run", "a warmup of 20,000 steps, as a paper has it, is longer than the run",
               {"warmup_too_long", "lr_too_low", "slow_progress"},
               [](double lr, double step, double, double) { return lr * std::min(step / 20000, 1.0); }),
  };
}

}  // namespace faulty_runs
