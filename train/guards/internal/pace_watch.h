#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/optim/optimizer.h>
#include <handrail/train/checks/internal/settings/settings_checks.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// Looks at the number and the rates of the updates of a loop that it does not see, and reports once each, with the
/// rules that train/watch.h describes: too_few_steps, lr_too_high, lr_too_low, schedule_ends_early,
/// weight_decay_too_high. Only the constructor allocates memory.
class PaceWatch {
 public:
  /// rows: of the training set; 0 when it is not known, and then too_few_steps is not reported.
  PaceWatch(Index rows, const optim::Optimizer& optimizer);

  /// Adds a step of the loop. samples: of its batch. updates: how many were made so far, the last one with rate lr.
  std::optional<Anomaly> look(std::int64_t step, Index samples, std::int64_t updates, double lr);

 private:
  std::optional<Anomaly> few_updates(std::int64_t step);
  std::optional<Anomaly> bad_rate(std::int64_t step);
  std::optional<Anomaly> slow_warmup(std::int64_t step);
  std::optional<Anomaly> ended_schedule(std::int64_t step);
  std::optional<Anomaly> strong_decay(std::int64_t step);
  void follow(std::int64_t updates, double lr);

  Index rows_;
  const char* name_;
  double default_lr_;
  std::vector<optim::ParamGroup> groups_;  // without their parameters
  Penalty penalty_;
  std::int64_t looks_ = 0, samples_ = 0, updates_ = 0;
  struct Rates {
    double last = 0, highest = 0, at_half = 0;  // at_half: after half of max_updates
    double sum = 0;
  } rates_;
  // The rate as a staircase, as long as it is one.
  struct Stairs {
    bool hold = true;
    double rise = 0;          // of each
    std::int64_t count = 0;   // rises since the first update
    std::int64_t length = 0;  // updates of each
    std::int64_t made = 0;    // updates of the last one
  } stairs_;
  std::int64_t idle_ = 0;  // updates at nearly none of the highest rate
  std::int64_t held_ = 0;  // updates at one low rate up to now
  struct Reported {
    bool few = false, rate = false, end = false, decay = false;
  } reported_;
};

}  // namespace handrail::train
