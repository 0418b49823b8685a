#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/train/guards/guard.h>
#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/loop/desk.h>
#include <handrail/train/run/loop/weight_watch.h>

namespace handrail::train {

/// The guards of a run, which give one verdict on each part of a step, and the seal: when the loss, the gradients or
/// the update are not finite, the verdict is at least Action::skip, whatever guards and on_anomaly answer.
class Guards {
 public:
  /// Adds to an anomaly the row, op or layer in which a step became not finite.
  using Explain = std::function<void(Anomaly&)>;

  /// Begins without guards. sealed: false when guards.non_finite is off; there is no seal then.
  Guards(Desk& desk, bool sealed, Explain explain) : desk_(desk), sealed_(sealed), explain_(std::move(explain)) {}

  /// Adds the guards of the options, then those of configure_guards. Throws OptionError when two have the same name.
  void add_all(const Setup& setup);

  bool is_sealed() const { return sealed_; }
  Verdict before_backward(const StepStats& stats);
  Verdict before_update(const StepStats& stats);
  Verdict update_refused(const StepStats& stats, const NonFiniteError& error);
  Verdict accepted(const StepStats& stats);
  Verdict layers_measured(const LayerReport& report);
  Verdict epoch_end(const EpochStats& stats);

  /// Reports what has written to the weights since note_weights(). Call it at the beginning of a step.
  void look_at_weights(std::int64_t step) {
    if (!weights_) return;
    if (std::optional<Anomaly> anomaly = weights_->look(step)) [[unlikely]]
      desk_.warn(std::move(*anomaly));
  }
  /// Notes that the weights are as the step has left them.
  void note_weights() {
    if (weights_) weights_->note();
  }
  /// Whether all guards call the present state good.
  bool is_good_state() const;
  /// Tells all guards that the last good state was restored.
  void rolled_back();
  /// Adds the state of each guard by its name.
  void save(std::map<std::string, std::vector<double>>& states) const;
  /// Reads the state of each guard. Throws CheckpointError when one is missing or malformed.
  void load(const std::map<std::string, std::vector<double>>& states);

 private:
  template <class G>
  void add(std::unique_ptr<G> guard);
  template <class List, class Ask>
  Verdict ask(const List& guards, Ask&& ask_guard, bool bad_step = false);
  template <class List, class Ask>
  Verdict ask_and_seal(const List& guards, Ask&& ask_guard, bool is_finite);
  bool is_worth_a_replay(const Anomaly& anomaly);

  Desk& desk_;
  bool sealed_;
  Explain explain_;
  std::vector<std::unique_ptr<Guard>> guards_;
  std::vector<Guard*> of_loss_, of_gradients_, of_updates_;  // those that override a function that every step calls
  std::optional<WeightWatch> weights_;
  Index replays_ = 0;
};

/// Calls load(state of that name). Throws CheckpointError when there is no such state or load returns false.
void load_named(const std::map<std::string, std::vector<double>>& states, const std::string& name,
                const std::function<bool(const std::vector<double>&)>& load);

}  // namespace handrail::train
