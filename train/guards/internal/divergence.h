#pragma once

#include <string>
#include <utility>

#include <handrail/train/files/text.h>
#include <handrail/train/guards/guard.h>

namespace handrail::train {

/// What the learning rate is multiplied by when a guard of the library asks for a rollback. before: how many rollbacks
/// it has asked for before this one.
inline double rollback_factor(Index before) { return before == 0 ? 0.1 : 0.5; }

/// The anomaly "divergence", which asks for a rollback or, after max_rollbacks of them, for the end of the run.
/// rollbacks: how many the guard has asked for; this one is counted.
inline Anomaly divergence(const StepStats& stats, std::string evidence, std::string remedy, Index& rollbacks) {
  Anomaly anomaly{.name = "divergence",
                  .step = stats.step,
                  .evidence = std::move(evidence),
                  .cause = "a learning rate that is too high",
                  .remedy = std::move(remedy),
                  .action = Action::rollback,
                  .details = concat("lr was ", short_form(stats.lr), " at this step"),
                  .rank = Rank::blow_up,
                  .lr_factor = rollback_factor(rollbacks)};
  if (rollbacks == max_rollbacks) {
    anomaly.action = Action::stop;
    anomaly.evidence += concat(", after ", rollbacks, " rollbacks");
  } else {
    ++rollbacks;
  }
  return anomaly;
}

}  // namespace handrail::train
