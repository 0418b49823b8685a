#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <handrail/train/guards/guard.h>
#include <handrail/train/math/initial_loss.h>

namespace handrail::train {

/// Reports ("divergence") a model that has died, and asks for a rollback to a tenth of the rate the first time and half
/// of it later; after max_rollbacks of them training stops. A rate that is far too high may leave a model whose outputs
/// hardly depend on its inputs. Its loss is that of a guess, such as ln C, and below the bound of LossGuard. Every 25
/// steps the mean loss since the last check is compared with the initial one. A model has died when one of these holds
/// in two checks in a row:
///   - at least 90 % of the units of a hidden layer have no gradient, and the loss is above half of the initial one;
///   - the norm of all weights is 3 times the initial one, and the loss is above 80 % of the initial one and 5 % above
///     its lowest value in a check. A loss that falls slowly while the weights grow, towards large targets, is none of
///     this.
/// Units are counted in steps of at least 16 samples, and in layers most of whose units had a gradient in the first
/// step. Nothing is compared when an initial loss is negative.
class CollapseGuard final : public Guard {
 public:
  /// What is measured of the model, after an update while the gradients are there.
  struct Health {
    std::vector<double> dead_units = {};  // of each hidden layer, the share without gradient, from 0 to 1
    double weight_norm = 0;               // Euclidean norm of all parameters
  };
  /// Writes the health of the model over another one, so that no memory is taken.
  using Measure = std::function<void(Health&)>;

  /// Measures the initial weights.
  explicit CollapseGuard(Measure measure);

  const char* name() const override { return "collapse"; }
  std::optional<Anomaly> accepted(const StepStats& stats) override;
  /// False since a check in which the model was worse than it should be: most units of a layer without gradient are
  /// enough.
  bool is_good_state() const override { return good_; }
  void rolled_back() override;
  void visit_state(StateVisitor& state) override;

 private:
  std::optional<Anomaly> check(const StepStats& stats, double loss);

  Measure measure_;
  Health now_;
  std::vector<double> dead_at_first_;  // Health::dead_units in the first step
  double initial_norm_;                // Health::weight_norm before it
  InitialLoss initial_;
  double sum_ = 0;             // of the losses since the last check
  std::int64_t summed_ = 0;    // how many these are
  double lowest_ = 0;          // the lowest mean loss of a check; 0 before the first
  std::int64_t in_a_row_ = 0;  // checks in which the model was dead
  std::int64_t rollbacks_ = 0;
  bool good_ = true;
};

}  // namespace handrail::train
