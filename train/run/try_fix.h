#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <handrail/train/run/fix.h>

namespace handrail::train {

/// The options of Trainer::try_fix.
struct TryFixOptions {
  std::int64_t steps = 100;  // optimizer steps of each arm
  bool keep = true;          // off: measure only, and leave the options as they are
};

/// The measurements of one arm of Trainer::try_fix.
struct TryFixArm {
  std::string name;                                    // "unchanged", or the name of the fix
  double train_before = 0, train_after = 0;            // mean training losses in evaluation mode, over the same samples
  double validation_before = 0, validation_after = 0;  // mean validation losses
  double difference = 0;                               // validation_after minus that of the unchanged arm
  double difference_low = 0, difference_high = 0;      // its 95 % confidence interval, paired over groups of samples
  bool finite = true;                                  // whether all steps were made, without a rollback
  bool applies = true;  // whether the fix had something to change in this model; when not, nothing was measured
};

/// The result of Trainer::try_fix.
struct TryFixResult {
  std::vector<TryFixArm> arms;  // the unchanged one first
  std::string kept = {};        // the name of the fix that is in the program now; empty when there is none
  bool restarted = false;       // whether the arms began with the weights from before the last fit
  /// The measurements as a table, and which fix was kept.
  std::string text() const;
};

}  // namespace handrail::train
