#pragma once

#include <functional>
#include <string>
#include <vector>

#include <handrail/train/run/options.h>

namespace handrail::train {

/// A change of the options that might help.
struct Fix {
  std::string name;
  std::function<void(TrainerOptions&)> change;  // lr is the peak rate in use, whoever picked it
};

/// The usual ones: lr / factor, another clip norm, twice the warmup, another batch size.
namespace fixes {
Fix lower_lr(double factor = 10);
Fix higher_lr(double factor = 10);
Fix clip_norm(double norm = 0.1);
Fix longer_warmup(double factor = 2);
Fix weight_decay(double decay);
Fix batch_size(Index size);
}  // namespace fixes

struct TryFixOptions {
  std::int64_t steps = 100;  // optimizer steps of each arm
  bool keep = true;          // off: measure only
};

/// What one arm came to: "unchanged", or a fix by its name.
struct TryFixArm {
  std::string name;
  double train_before = 0, train_after = 0;            // mean losses in evaluation mode, over the same samples
  double validation_before = 0, validation_after = 0;  // likewise
  double difference = 0;                               // validation loss against the unchanged arm: negative is better
  double difference_low = 0, difference_high = 0;      // its 95 % confidence interval, paired over groups of samples
  bool finite = true;                                  // whether it ended without a step refused or rolled back
};

struct TryFixResult {
  std::vector<TryFixArm> arms;  // the unchanged one first
  std::string kept;             // the name of the fix now in the options; empty for none
  /// The table as text, and what was kept.
  std::string text() const;
};

}  // namespace handrail::train
