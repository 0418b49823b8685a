#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <handrail/train/guards/guard.h>
#include <handrail/train/math/initial_loss.h>
#include <handrail/train/math/smoothing.h>

namespace handrail::train {

/// Watches the gradients of every layer. Reports with the name of the layer:
///   "vanishing_gradient"   its gradient norm was below 1e-7 for 20 steps in a row
///   "exploding_gradient"   its gradient norm was above 100 for 20 steps in a row; above 100 sqrt(m / 10) where the
///                          first ten losses have a mean magnitude m above 10
///   "dead_units"           its gradient was exactly 0 for 20 steps in a row, or more than half of the units of a
///                          hidden layer got no gradient from 16 samples or more in 3 measurements in a row
/// Small gradients and dead units are not reported when the loss is at most 1 % of its initial value: the task is
/// learnt. When the loss has fallen by more than half of its initial value, the units that are left suffice, and dead
/// units are a note. Each layer is reported once until the condition has ended and begins again. A layer that has had a
/// gradient and lost all of it does not learn again by itself. The guard then asks for a rollback, with a tenth of the
/// rate the first time and half of the rate later, at most max_rollbacks times.
class LayerGuard final : public Guard {
 public:
  /// layers: the names, in the order of StepStats::layer_norms and LayerReport::layers; the last one is the output
  /// layer. A layer for which is_trained returns false is left out, because a frozen layer has no gradient.
  explicit LayerGuard(
      std::vector<std::string> layers, IsTrained is_trained = [](std::size_t) { return true; })
      : names_(std::move(layers)), layers_(names_.size()), is_trained_(std::move(is_trained)) {}

  const char* name() const override { return "layers"; }
  std::optional<Anomaly> check_loss(const StepStats&) override {
    proposed_ = false;
    return std::nullopt;
  }
  std::optional<Anomaly> epoch_end(const EpochStats&) override {
    proposed_ = false;
    return std::nullopt;
  }
  /// Returns one anomaly per step. When several layers are concerned, the others follow in the next steps.
  std::optional<Anomaly> check_gradients(const StepStats& stats) override;
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  std::optional<Anomaly> layers_measured(const LayerReport& report) override;
  bool is_good_state() const override { return lost().empty(); }
  /// The names of the layers that have had a gradient and whose gradient was exactly 0 in the last step. A state with
  /// such a layer is no good state. Frozen layers are left out.
  std::vector<std::string> lost() const;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  // For how many steps or measurements a condition has held, counted up to the patience, and whether it was reported.
  struct Stretch {
    std::int32_t length = 0;
    bool reported = false;

    /// Counts the next step, in which the condition holds or not. Returns whether it must be reported.
    bool step(bool now, std::int32_t patience) {
      if (!now) [[likely]] {
        *this = {};
        return false;
      }
      if (length < patience) ++length;
      return length == patience && !reported;
    }
  };
  static constexpr double level_beta = 0.9;
  struct Layer {
    Stretch vanishing, exploding, dead;
    bool lived = false;  // whether it has had a gradient
    bool gone = false;   // whether its gradient was exactly 0 in the last step
  };

  std::vector<std::string> names_;
  std::vector<Layer> layers_;
  IsTrained is_trained_;
  InitialLoss initial_;
  Ema level_{level_beta};     // of the loss
  Index rollbacks_ = 0;       // how many that this guard asked for were made
  bool proposed_ = false;     // whether it asked for one in this step
  bool few_samples_ = false;  // whether the last step had too few to tell dead units
};

}  // namespace handrail::train
