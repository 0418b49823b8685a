#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <handrail/train/guards/guard.h>
#include <handrail/train/math/initial_loss.h>

namespace handrail::train {

/// Watches every layer by itself. Reports, with the layer's name, a gradient norm that stayed below 1e-7
/// ("vanishing_gradient", while the loss is above 1 % of its first value: of a task that is learnt, gradients
/// are small; exactly 0 is "dead_units") or above 100 ("exploding_gradient") for 20 steps in a row; and more than half
/// of a hidden layer's units without gradient in three measurements in a row ("dead_units"). Once a layer and stretch.
/// A layer that had a gradient and has lost all of it will not learn again by itself: the guard goes back to the last
/// good state, at a tenth of the rate the first time and half of it after, at most three times.
class LayerGuard final : public Guard {
 public:
  /// Whether the layer of that number has a parameter that is trained now.
  using IsTrained = std::function<bool(std::size_t layer)>;

  /// layers: their names, in the order of StepStats::layer_norms and LayerReport::layers; the last one is the output
  /// layer. A layer that is not trained has no gradient to vanish: it is left out while it is frozen.
  explicit LayerGuard(
      std::vector<std::string> layers, IsTrained is_trained = [](std::size_t) { return true; })
      : names_(std::move(layers)), layers_(names_.size()), is_trained_(std::move(is_trained)) {}

  const char* name() const override { return "layers"; }
  /// One anomaly a step: of several layers the others follow in the next steps.
  std::optional<Anomaly> check_gradients(const StepStats& stats) override;
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  std::optional<Anomaly> layers_measured(const LayerReport& report) override;
  bool is_good_state() const override { return lost().empty(); }
  /// The layers whose gradient is gone as of the last step: a state with one of them is not one to go back to. Frozen
  /// layers are left out.
  std::vector<std::string> lost() const;
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  // How long something has lasted, up to what is worth reporting, and whether it was reported.
  struct Stretch {
    std::int32_t length = 0;
    bool reported = false;

    /// Whether it is due to be reported.
    bool step(bool now, std::int32_t patience) {
      if (!now) [[likely]] {
        *this = {};
        return false;
      }
      if (length < patience) ++length;
      return length == patience && !reported;
    }
  };
  struct Layer {
    Stretch vanishing, exploding, dead;
    bool lived = false;  // it has had a gradient
    bool gone = false;   // that of the last step is exactly 0
  };

  std::vector<std::string> names_;
  std::vector<Layer> layers_;
  IsTrained is_trained_;
  InitialLoss initial_;
  Index rollbacks_ = 0;    // made for its sake
  bool proposed_ = false;  // one, in this step
};

}  // namespace handrail::train
