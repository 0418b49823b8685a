#pragma once

#include <optional>

#include <handrail/train/checkpoints/state.h>

namespace handrail::train {

/// What a run leaves behind, from which fixes are measured.
struct LastRun {
  TrainingState good;                       // its last good state
  std::optional<TrainingState> start = {};  // the weights before its first step, at step 0; nothing when it was resumed
  bool failed = false;                      // whether no fix can be measured from `good`, because units are dead, say
};

}  // namespace handrail::train
