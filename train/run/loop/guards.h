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

namespace handrail::train {

/// The guards of a run, which give one verdict on each part of a step; and the seal: what the loss, the gradients or
/// the update have that is not finite never gets by, whatever guards and user say.
class Guards {
 public:
  /// Names the row, op or layer where it began that a step is not finite.
  using Explain = std::function<void(Anomaly&)>;

  /// No guards. `sealed`: off with guards.non_finite = off.
  Guards(Desk& desk, bool sealed, Explain explain) : desk_(desk), sealed_(sealed), explain_(std::move(explain)) {}

  /// The guards that the options ask for, then those of configure_guards. Throws OptionError when two have one name.
  void add_all(const Setup& setup);

  bool is_sealed() const { return sealed_; }
  Verdict before_backward(const StepStats& stats);
  Verdict before_update(const StepStats& stats);
  Verdict update_refused(const StepStats& stats, const NonFiniteError& error);
  Verdict accepted(const StepStats& stats);
  Verdict layers_measured(const LayerReport& report);
  Verdict epoch_end(const EpochStats& stats);

  bool is_good_state() const;
  void rolled_back();
  void save(std::map<std::string, std::vector<double>>& states) const;
  /// Throws CheckpointError when the state of a guard is missing, or is not as it writes it.
  void load(const std::map<std::string, std::vector<double>>& states);

 private:
  template <class Ask>
  Verdict ask(Ask&& ask_guard, bool bad_step = false);
  template <class Ask>
  Verdict ask_and_seal(Ask&& ask_guard, bool is_finite);
  bool is_worth_a_replay(const Anomaly& anomaly);

  Desk& desk_;
  bool sealed_;
  Explain explain_;
  std::vector<std::unique_ptr<Guard>> guards_;
  Index replays_ = 0;
};

/// Calls load with the state of that name. Throws CheckpointError when it is missing, or when load returns false.
void load_named(const std::map<std::string, std::vector<double>>& states, const std::string& name,
                const std::function<bool(const std::vector<double>&)>& load);

}  // namespace handrail::train
