#pragma once

#include <handrail/train/events.h>

namespace handrail::train {

/// What is to be done about a step or an epoch; of several guards the gravest verdict counts.
enum class Verdict { proceed, skip, stop };

/// Judges a step before its update and an epoch after its validation. The decisions are pure
/// arithmetic on the statistics; the Trainer acts on them.
class Guard {
 public:
  virtual ~Guard() = default;
  virtual const char* name() const = 0;
  virtual Verdict before_update(const StepStats&) { return Verdict::proceed; }
  virtual Verdict after_epoch(const EpochStats&) { return Verdict::proceed; }
  /// Why the last verdict was not to proceed, and what to do.
  virtual std::string reason() const = 0;
};

/// Skips an update whose loss or gradient is not finite; stops after `patience` in a row.
class NonFiniteGuard final : public Guard {
 public:
  explicit NonFiniteGuard(Index patience) : patience_(patience) {}
  const char* name() const override { return "non_finite"; }
  Verdict before_update(const StepStats& stats) override;
  std::string reason() const override;

 private:
  Index patience_;
  Index in_a_row_ = 0;
  double loss_ = 0, grad_norm_ = 0;
};

}  // namespace handrail::train
