#pragma once

#include <functional>
#include <string>
#include <vector>

#include <handrail/train/run/options.h>

namespace handrail::train {

/// A change of the options that may help.
struct Fix {
  std::string name;
  std::function<void(TrainerOptions&)> change;  // `lr` in these options is the peak rate in use, given or found
};

/// Fixes for Trainer::try_fix.
namespace fixes {
/// Divides the peak learning rate by `factor`.
Fix lower_lr(double factor = 10);
/// Multiplies the peak learning rate by `factor`.
Fix higher_lr(double factor = 10);
/// Sets clip_norm.
Fix clip_norm(double norm = 0.1);
/// Multiplies the warmup, or 5 % when it is off, by `factor`, up to half of the steps.
Fix longer_warmup(double factor = 2);
/// Sets weight_decay.
Fix weight_decay(double decay);
/// Sets batch_size, in samples.
Fix batch_size(Index size);
/// Gives the rate back to the LR finder: sets lr = automatic. Its arm makes the sweep that fit makes.
Fix find_lr();
}  // namespace fixes

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
};

/// The result of Trainer::try_fix.
struct TryFixResult {
  std::vector<TryFixArm> arms;  // the unchanged one first
  std::string kept;             // the name of the fix that is in the options now; empty when there is none
  bool restarted = false;       // whether the arms began with the weights from before the last fit, as it had failed
  /// The measurements as a table, and which fix was kept.
  std::string text() const;
};

}  // namespace handrail::train
