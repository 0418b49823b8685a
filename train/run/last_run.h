#pragma once

#include <memory>
#include <optional>

#include <handrail/train/checkpoints/state.h>

namespace handrail::train {

namespace html {
class HtmlReport;
}

/// What a run leaves behind, from which fixes are measured and a second fit begins.
struct LastRun {
  TrainingState good;  // its last good state
  // The weights before its first step, at step 0, and which of them were trained; nothing when it was resumed, unless
  // TrainerOptions::refit is on.
  std::optional<TrainingState> start = {};
  bool failed = false;  // whether no fix can be measured from `good`, because units are dead, say
  std::shared_ptr<html::HtmlReport> report = {};  // of the run, to which what follows it is added; null without one
};

}  // namespace handrail::train
