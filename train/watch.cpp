#include <handrail/train/watch.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/core/tape.h>
#include <handrail/nn/dropout.h>
#include <handrail/nn/norm.h>
#include <handrail/train/checks/internal/model/loss_checks.h>
#include <handrail/train/checks/internal/model/structure_checks.h>
#include <handrail/train/checks/internal/settings/norm_checks.h>
#include <handrail/train/checks/internal/settings/optimizer_checks.h>
#include <handrail/train/files/text.h>
#include <handrail/train/guards/internal/pace_watch.h>
#include <handrail/train/guards/internal/row_watch.h>
#include <handrail/train/guards/internal/scale_watch.h>
#include <handrail/train/guards/internal/update_watch.h>
#include <handrail/train/guards/loss_guards.h>
#include <handrail/train/guards/progress_guards.h>

namespace handrail::train {
namespace {

constexpr std::int64_t same_position_steps = 5, same_loss_steps = 20, min_accelerated_steps = 100;

bool differs_in_evaluation(const nn::Module& model) {
  return std::ranges::any_of(model.modules(), [](const nn::Module* module) {
    return dynamic_cast<const nn::Dropout*>(module) || dynamic_cast<const nn::BatchNorm1d*>(module);
  });
}

std::vector<std::unique_ptr<Guard>> guards_of(const WatchOptions& options) {
  const GuardOptions& on = options.guards;
  std::vector<std::unique_ptr<Guard>> guards;
  if (on.non_finite) guards.push_back(std::make_unique<NonFiniteGuard>());
  if (on.spike || on.divergence)
    guards.push_back(std::make_unique<LossGuard>(on.spike, on.divergence, options.planned_steps / 20, on.spike_rule));
  if (on.plateau) guards.push_back(std::make_unique<PlateauGuard>(0, options.planned_steps, on.plateau_rule));
  return guards;
}

// What the loss op of a step is for.
Task task_of(const StepGraph& graph) {
  const auto* loss = loss_op(graph);
  if (loss && loss->name == "cross_entropy") return Task::multiclass;
  return loss && loss->name == "binary_cross_entropy_with_logits" ? Task::binary : Task::regression;
}

}  // namespace

struct Watch::State {
  State(const nn::Module& model, const optim::Optimizer& optimizer, WatchOptions given)
      : options(std::move(given)),
        differs(differs_in_evaluation(model)),
        updates(model.parameters(), optimizer),
        pace(options.rows, optimizer),
        rows(options.rows),
        looks_at_scale(options.check_inputs && !normalises_inputs(model)),
        guards(guards_of(options)) {
    if (!options.check_model) return;
    graph = std::make_shared<StepGraph>(model.parameters());
    Tape::observe_next(graph);
  }

  void report(Anomaly anomaly);
  void report(std::optional<Anomaly> anomaly) {
    if (anomaly) [[unlikely]]
      report(std::move(*anomaly));
  }
  Action look(const Tensor& loss, Index samples);
  Action ask_guards(double loss, Index samples);
  void look_at_ops(const Tensor& loss, const Tensor& inputs, const Tensor& targets);
  void look_at_tape(const Tensor& loss);
  void look_at_loss(double loss);
  bool falls_without_bound() const;

  WatchOptions options;
  bool differs;  // whether the model computes something else in evaluation
  UpdateWatch updates;
  PaceWatch pace;
  RowWatch rows;
  ScaleWatch scale;
  bool looks_at_scale;
  std::vector<std::unique_ptr<Guard>> guards;
  std::shared_ptr<StepGraph> graph = {};  // of the first tape, until it was looked at
  std::int64_t step = 0;
  struct {
    std::uint64_t serial = 0, position = 0;  // of the last step
    std::int64_t same_position = 0;
    bool evaluation_reported = false, detached_reported = false;
  } tape;
  struct {
    InitialLoss initial;
    Ema level;
    Outline outline;
    double last = 0;
    std::int64_t same = 0;
    bool sign_reported = false;
  } losses;
  std::vector<Anomaly> found;
  std::map<std::string, std::int64_t> counts;
};

void Watch::State::report(Anomaly anomaly) {
  constexpr std::int64_t max_of_a_name = 100;
  anomaly.action = Action::proceed;  // a watch does nothing about it
  if (++counts[anomaly.name] > max_of_a_name) return;
  for (const auto& sink : options.sinks) sink->anomaly(anomaly);
  if (options.on_anomaly) options.on_anomaly(anomaly);
  found.push_back(std::move(anomaly));
}

Action Watch::State::look(const Tensor& loss, Index samples) {
  if (loss.size() != 1) fail<ShapeError>("Watch::step: want a loss of one element; got shape ", loss.shape());
  ++step;
  std::optional<Anomaly> of_updates = updates.look(step);
  if (options.guards.overwrites || !of_updates || of_updates->name != "weights_overwritten")
    report(std::move(of_updates));
  report(pace.look(step, samples, updates.updates(), updates.lr()));
  look_at_tape(loss);
  const auto value = static_cast<double>(loss.item());
  if (is_finite(value)) look_at_loss(value);
  return ask_guards(value, samples);
}

// The ops of the first step, if a tape recorded them that was made after the watch.
void Watch::State::look_at_ops(const Tensor& loss, const Tensor& inputs, const Tensor& targets) {
  const std::shared_ptr<StepGraph> ops = std::exchange(graph, nullptr);
  if (!ops || inputs.shape().rank() == 0) return;
  const RecordedStep recorded{
      .graph = *ops, .loss = loss, .predictions = {}, .inputs = inputs, .targets = targets, .task = task_of(*ops)};
  if (!ops->maker(loss)) return;
  for (Anomaly& anomaly : check_structure(recorded)) report(std::move(anomaly));
  report(check_summed_loss(recorded));
}

Action Watch::State::ask_guards(double loss, Index samples) {
  const StepStats stats{.step = step,
                        .micro_step = step - 1,
                        .epoch = 1,
                        .batch = step,
                        .samples = samples,
                        .loss = loss,
                        .ema_loss = loss,
                        .grad_norm = 0,
                        .lr = updates.lr()};
  Action action = Action::proceed;
  const auto take = [&](std::optional<Anomaly> anomaly) {
    if (!anomaly) [[likely]]
      return;
    action = std::max(action, anomaly->action);
    report(std::move(*anomaly));
  };
  for (const auto& guard : guards) take(guard->check_loss(stats));
  if (is_finite(loss))
    for (const auto& guard : guards) take(guard->accepted(stats));
  return action;
}

void Watch::State::look_at_tape(const Tensor& loss) {
  const std::optional<TapeRecord> record = Tape::record_of(loss);
  if (!record) {
    if (!tape.detached_reported)
      report({.name = "detached",
              .step = step,
              .where = "loss",
              .evidence = concat("the tape has not recorded it; it comes from '", loss.op(), "'"),
              .cause = "a loss that was detached, computed outside of the tape, or made of constants",
              .remedy = "compute it from the model while the tape lives"});
    tape.detached_reported = true;
    return;
  }
  if (record->serial == tape.serial) return;  // several losses of one tape
  if (record->mode == Mode::eval && differs && !tape.evaluation_reported) {
    report({.name = "eval_mode",
            .step = step,
            .where = "tape",
            .evidence = "the model trains in evaluation mode",
            .cause = "a tape of Mode::eval: dropout drops nothing, and batch norm uses statistics that never move",
            .remedy = "train with Tape tape{Mode::train, ...}"});
    tape.evaluation_reported = true;
  }
  const bool same =
      record->random && record->random_calls > 0 && tape.serial != 0 && record->random->position == tape.position;
  if (updates.updated()) tape.same_position = same ? tape.same_position + 1 : 0;
  if (tape.same_position == same_position_steps)
    report({.name = "random_position",
            .step = step,
            .where = "tape",
            .evidence = concat("random position ", tape.position, " in ", tape.same_position + 1, " steps in a row"),
            .cause = "a position that is not advanced: dropout drops the same elements in every step",
            .remedy = "set .position = step"});
  tape.serial = record->serial;
  if (record->random) tape.position = record->random->position;
}

// A loss below 0 that has a lowest value falls ever slower.
bool Watch::State::falls_without_bound() const {
  constexpr double far = 10, accelerated = 1.2;
  constexpr std::size_t min_pieces = 16;
  const double times = -losses.level.value() / losses.initial.opening();
  if (times >= far) return true;
  const auto means = losses.outline.means();
  if (times < far / 3 || step < min_accelerated_steps || means.size() < min_pieces) return false;
  const double middle = means[means.size() / 2];
  return middle - means.back() > accelerated * (means.front() - middle);
}

void Watch::State::look_at_loss(double loss) {
  losses.initial.add(loss);
  losses.level.add(loss);
  losses.outline.push(loss);
  const bool same = step > 1 && loss == losses.last && loss != 0;
  if (updates.updated()) losses.same = same ? losses.same + 1 : 0;
  losses.last = loss;
  if (losses.same == same_loss_steps)
    report({.name = "loss_constant",
            .step = step,
            .where = "loss",
            .evidence = concat("exactly ", short_form(loss), " in ", losses.same + 1, " steps in a row"),
            .cause = "a loss that depends on neither weights nor batch, or weights that do not move",
            .remedy = "compute it from predictions and targets"});
  if (losses.sign_reported || !losses.initial.known() || losses.initial.mean() > -losses.initial.magnitude()) return;
  if (!falls_without_bound()) return;
  losses.sign_reported = true;
  report({.name = "loss_sign",
          .step = step,
          .where = "loss",
          .evidence = concat("negative from the first step, and fell from ", short_form(-losses.initial.opening()),
                             " to ", short_form(losses.level.value())),
          .cause = "a loss with the wrong sign: what should fall is made to grow without bound",
          .remedy = "change the sign of the loss"});
}

Watch::Watch(const nn::Module& model, const optim::Optimizer& optimizer, WatchOptions options)
    : state_(std::make_unique<State>(model, optimizer, std::move(options))) {
  if (!state_->options.check_settings) return;
  const std::vector<Parameter> parameters = model.parameters();
  state_->report(check_trained(trained_parameters(parameters, optimizer.groups())));
  for (Anomaly& anomaly : check_hyperparameters(optimizer)) state_->report(std::move(anomaly));
  constexpr std::int64_t usual_steps = 1000;
  const std::int64_t planned = state_->options.planned_steps;
  state_->report(check_batch_norms(model, planned > 0 ? planned : usual_steps));
}

Watch::~Watch() = default;

Action Watch::step(const Tensor& loss) { return state_->look(loss, 1); }

Action Watch::step(const Tensor& loss, const Tensor& inputs, const Tensor& targets) {
  state_->look_at_ops(loss, inputs, targets);
  const Action action = state_->look(loss, inputs.shape().rank() > 0 ? inputs.shape()[0] : 1);
  if (state_->looks_at_scale) state_->report(state_->scale.add(state_->step, inputs));
  state_->report(state_->rows.add(state_->step, inputs, targets));
  return action;
}

const std::vector<Anomaly>& Watch::anomalies() const { return state_->found; }
std::vector<Anomaly> Watch::diagnosis() const { return train::diagnosis(state_->found); }
std::string Watch::diagnosis_text() const { return train::diagnosis_text(state_->found, state_->counts); }

}  // namespace handrail::train
