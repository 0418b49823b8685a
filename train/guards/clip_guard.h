#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <handrail/train/guards/guard.h>
#include <handrail/train/guards/options.h>
#include <handrail/train/math/smoothing.h>

namespace handrail::train {

/// Reports ("clip_pressure") that clipping changes the path of training. From 100 steps after the warmup on, both must
/// hold for the last 100 gradients:
///   clipped           more than half of them
///   length that is    less than half: sum of min(norm, clip_norm) < 0.5 * sum of norms
///   left
/// An update of SGD is as long as its gradient, so that such a run has less than half of its learning rate. An update
/// of the Adam family is not, and a rate that the LR finder chose fits the clipped gradients: for these only the
/// documented rule makes sense, if any, and no guard is made for the other one. ClipRule::documented is the first
/// condition alone. Reports again only after less than a quarter of the gradients were clipped in between. By the rule
/// of the path it is a note, unless less than 1 % of the length of the gradients is left.
class ClipPressureGuard final : public Guard {
 public:
  /// warmup_steps: in optimizer steps. clip_norm: the norm that longer gradients are scaled down to.
  ClipPressureGuard(std::int64_t warmup_steps, double clip_norm, ClipRule rule = ClipRule::path)
      : warmup_steps_(warmup_steps), clip_norm_(clip_norm), rule_(rule), norms_(capacity), clipped_(capacity) {}

  const char* name() const override { return "clip_pressure"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  static constexpr std::size_t capacity = 100;

  double length_left() const;
  Anomaly found(const StepStats& stats) const;

  std::int64_t warmup_steps_;
  double clip_norm_;
  ClipRule rule_;
  Window norms_, clipped_;
  std::size_t count_ = 0;  // how many in the window were clipped
  bool reported_ = false;
};

}  // namespace handrail::train
