#include <handrail/train/run/loop/guards.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <type_traits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/guards/clip_guard.h>
#include <handrail/train/guards/collapse_guard.h>
#include <handrail/train/guards/evaluation_guards.h>
#include <handrail/train/guards/layer_guard.h>
#include <handrail/train/guards/loss_guards.h>
#include <handrail/train/guards/overfitting_guard.h>
#include <handrail/train/guards/progress_guards.h>

namespace handrail::train {
namespace {

// The names of the other states that Loop::capture stores beside those of the guards.
constexpr const char* other_states[] = {"early_stopping", "good_state", "position", "trained"};

IsTrained is_trained(const Setup& setup) {
  return [&setup](std::size_t layer) {
    const std::string& name = setup.optimizer->layers()[layer];
    return std::ranges::any_of(setup.parameters, [&](const Parameter& p) {
      return p.tensor.requires_grad() && optim::layer_of(p.name) == name;
    });
  };
}

std::unique_ptr<LayerGuard> make_layer_guard(const Setup& setup) {
  std::vector<std::string> names;
  for (const std::string& layer : setup.optimizer->layers()) names.push_back(concat("layer '", layer, "'"));
  return std::make_unique<LayerGuard>(std::move(names), is_trained(setup));
}

std::unique_ptr<CollapseGuard> make_collapse_guard(const Setup& setup) {
  return std::make_unique<CollapseGuard>(
      [&setup, layers = std::vector<optim::LayerMeasure>()](CollapseGuard::Health& health) mutable {
        setup.optimizer->measure_layers(layers);
        health.dead_units.assign(layers.empty() ? 0 : layers.size() - 1, 0);  // the last layer is the output
        double squares = 0;
        for (std::size_t l = 0; l < layers.size(); ++l) {
          squares += layers[l].weight_norm * layers[l].weight_norm;
          if (l < health.dead_units.size()) health.dead_units[l] = layers[l].dead_units.value_or(0);
        }
        health.weight_norm = std::sqrt(squares);
      });
}

}  // namespace

// A pointer to a member function has the type of the class that declares it: Guard, when G does not override it.
template <class G>
void Guards::add(std::unique_ptr<G> guard) {
  using Inherited = std::optional<Anomaly> (Guard::*)(const StepStats&);
  const auto add_to = [&](std::vector<Guard*>& list, bool inherits) {
    constexpr bool is_unknown = std::is_same_v<G, Guard>;  // one of the program's own
    if (is_unknown || !inherits) list.push_back(guard.get());
  };
  add_to(of_loss_, std::is_same_v<decltype(&G::check_loss), Inherited>);
  add_to(of_gradients_, std::is_same_v<decltype(&G::check_gradients), Inherited>);
  add_to(of_updates_, std::is_same_v<decltype(&G::accepted), Inherited>);
  guards_.push_back(std::move(guard));
}

// The order of the guards is the order in which anomalies of one step are reported.
void Guards::add_all(const Setup& setup) {
  const GuardOptions& on = setup.options.guards;
  const std::int64_t planned = setup.decisions.planned_steps, warmup = warmup_steps(setup.options, planned);
  if (on.non_finite) add(std::make_unique<NonFiniteGuard>());
  if (on.spike || on.divergence) add(std::make_unique<LossGuard>(on.spike, on.divergence, warmup, on.spike_rule));
  if (on.divergence) add(make_collapse_guard(setup));
  if (on.plateau) add(std::make_unique<PlateauGuard>(setup.steps_to_epoch(), planned, on.plateau_rule));
  if (on.slow_progress) add(std::make_unique<SlowProgressGuard>(warmup, planned, is_trained(setup)));
  // The weights with the best training loss are those of a model that overfits.
  const bool best_is_restored = setup.options.restore_best && !is_training_figure(setup.options.monitor);
  if (on.overfitting && !setup.options.overfit_batches)
    add(std::make_unique<OverfittingGuard>(best_is_restored, setup.options.epochs));
  // The LR finder chooses a rate that fits the clipped gradients.
  const bool shortens = setup.optimizer->batch_scaling() == optim::BatchScaling::linear && setup.options.lr;
  const bool clip_matters = on.clip_rule == ClipRule::documented || shortens;
  if (on.clip_pressure && setup.options.clip_norm && clip_matters)
    add(std::make_unique<ClipPressureGuard>(warmup, *setup.options.clip_norm, on.clip_rule));
  if (on.layers) add(make_layer_guard(setup));
  if (on.overwrites) weights_.emplace(setup.parameters);
  if (on.oscillation) add(std::make_unique<OscillationGuard>());
  if (on.monitor) add(std::make_unique<MonitorGuard>(setup.options.monitor, setup.options.mode == MonitorMode::max));
  if (on.duration && !setup.options.fast_dev_run) add(std::make_unique<ShortRunGuard>(setup.options.epochs));
  std::set<std::string> names(std::begin(other_states), std::end(other_states));
  for (const auto& guard : guards_) names.insert(guard->name());
  for (auto& guard : setup.recipe.configure_guards()) {
    if (!guard) fail<OptionError>("configure_guards: want guards; got null");
    if (!names.insert(guard->name()).second)
      fail<OptionError>("configure_guards: want a name that no other guard or state has; got '", guard->name(), "'");
    add(std::move(guard));
  }
}

template <class List, class Ask>
Verdict Guards::ask(const List& guards, Ask&& ask_guard, bool bad_step) {
  Verdict verdict;
  for (const auto& guard : guards)
    if (std::optional<Anomaly> anomaly = ask_guard(*guard)) [[unlikely]] {
      if (bad_step && guard->wants_replay() && is_worth_a_replay(*anomaly)) explain_(*anomaly);
      verdict.add(desk_.report(std::move(*anomaly)));
    }
  return verdict;
}

template <class List, class Ask>
Verdict Guards::ask_and_seal(const List& guards, Ask&& ask_guard, bool is_finite) {
  const bool bad = sealed_ && !is_finite;
  Verdict verdict = ask(guards, ask_guard, bad);
  if (bad) verdict.action = std::max(verdict.action, Action::skip);
  return verdict;
}

// Replays are limited, because a run may fail at every step. What rolls back or ends a run is always explained.
bool Guards::is_worth_a_replay(const Anomaly& anomaly) {
  constexpr Index max_replays = 10;
  return ++replays_ <= max_replays || anomaly.action >= Action::rollback;
}

Verdict Guards::before_backward(const StepStats& stats) {
  return ask_and_seal(
      of_loss_, [&](Guard& guard) { return guard.check_loss(stats); }, is_finite(stats.loss));
}

Verdict Guards::before_update(const StepStats& stats) {
  return ask_and_seal(
      of_gradients_, [&](Guard& guard) { return guard.check_gradients(stats); }, is_finite(stats.grad_norm));
}

Verdict Guards::update_refused(const StepStats& stats, const NonFiniteError& error) {
  return ask_and_seal(
      guards_, [&](Guard& guard) { return guard.update_refused(stats, error); }, false);
}

Verdict Guards::accepted(const StepStats& stats) {
  return ask(of_updates_, [&](Guard& guard) { return guard.accepted(stats); });
}

Verdict Guards::layers_measured(const LayerReport& report) {
  return ask(guards_, [&](Guard& guard) { return guard.layers_measured(report); });
}

Verdict Guards::epoch_end(const EpochStats& stats) {
  return ask(guards_, [&](Guard& guard) { return guard.epoch_end(stats); });
}

bool Guards::is_good_state() const {
  return std::ranges::all_of(guards_, [](const auto& guard) { return guard->is_good_state(); });
}

void Guards::rolled_back() {
  for (const auto& guard : guards_) guard->rolled_back();
  note_weights();
}

void Guards::save(std::map<std::string, std::vector<double>>& states) const {
  for (const auto& guard : guards_) save_state(*guard, states[guard->name()]);
}

void Guards::load(const std::map<std::string, std::vector<double>>& states) {
  for (const auto& guard : guards_)
    load_named(states, guard->name(), [&](const auto& state) { return load_state(*guard, state); });
}

void load_named(const std::map<std::string, std::vector<double>>& states, const std::string& name,
                const std::function<bool(const std::vector<double>&)>& load) {
  const auto found = states.find(name);
  if (found == states.end() || !load(found->second))
    fail<CheckpointError>("resume: want the state of '", name,
                          "' as this version writes it; got another, or it was off when the run began");
}

}  // namespace handrail::train
