#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <handrail/train/report/sink.h>
#include <handrail/train/run/recipe.h>

namespace handrail::train {

/// What is to be done after a step: the most severe of all requested actions.
struct Verdict {
  Action action = Action::proceed;
  double lr_factor = 1;  // the rate is multiplied by it from now on

  bool proceeds() const { return action == Action::proceed; }
  void add(const Verdict& other) {
    lr_factor = std::min(lr_factor, other.lr_factor);
    action = std::max(action, other.action);
  }
};

/// Passes what happens in a run to the hooks of the recipe, to the sinks, and into the result. A quiet desk passes
/// nothing on; it is for rehearsals and the arms of try_fix.
class Desk {
 public:
  Desk(Recipe& recipe, LogSinks sinks) : recipe_(recipe), sinks_(std::move(sinks)) {}
  static Desk quiet(Recipe& recipe) {
    Desk desk(recipe, {});
    desk.quiet_ = true;
    return desk;
  }

  bool is_quiet() const { return quiet_; }
  /// Adds a sink before the others, so that it gets what happens even when one of those throws.
  void add_first(std::shared_ptr<LogSink> sink) { sinks_.insert(sinks_.begin(), std::move(sink)); }
  /// Lets go of a sink, which may be null.
  void remove(const std::shared_ptr<LogSink>& sink) noexcept { std::erase(sinks_, sink); }
  const LogSinks& sinks() const { return sinks_; }

  /// Calls a function of every sink.
  template <class Event>
  void send(void (LogSink::*receive)(const Event&), const Event& event) const {
    for (const auto& sink : sinks_) (*sink.*receive)(event);
  }
  /// Calls a hook of the recipe.
  template <class... Args>
  void call(void (Recipe::*hook)(Args...), const std::type_identity_t<Args>&... args) const {
    if (!quiet_) (recipe_.*hook)(args...);
  }

  /// Asks Recipe::on_anomaly what is to be done, records the anomaly and sends it to the sinks. Of one name at most 100
  /// anomalies that only warn or skip are recorded.
  Verdict report(Anomaly anomaly);
  /// Reports an anomaly outside of a step, and passes the verdict to on_verdict at once.
  void warn(Anomaly anomaly);
  /// Reports what sinks have failed to do.
  void warn_of_sinks(std::int64_t step);

  std::function<void(const Verdict&)> on_verdict = {};  // empty when the training has ended
  bool has_started = false;                             // whether the sinks got fit_start
  FitResult result;

 private:
  Recipe& recipe_;
  LogSinks sinks_;
  bool quiet_ = false;
};

}  // namespace handrail::train
