#include <handrail/train/run/internal/preflight/first_batch.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/model/dependence_checks.h>
#include <handrail/train/checks/internal/model/gradient_checks.h>
#include <handrail/train/checks/internal/model/layer_checks.h>
#include <handrail/train/checks/internal/model/output_checks.h>
#include <handrail/train/checks/internal/outcome/prediction_checks.h>
#include <handrail/train/checks/internal/model/start_checks.h>
#include <handrail/train/checks/internal/model/structure_checks.h>
#include <handrail/train/run/internal/preflight/output_trials.h>
#include <handrail/train/run/internal/rehearsal.h>

namespace handrail::train {
namespace {

class FirstBatch {
 public:
  FirstBatch(const Setup& setup, const Position& at, Stop& stop)
      : setup_(setup), stop_(stop), rehearsal_(setup, at, stop), batch_(setup.loader->batch(0)) {}

  FirstBatchFindings check(std::optional<Index> classes);

 private:
  bool add(std::optional<Anomaly> anomaly) {
    if (anomaly) found_.anomalies.push_back(std::move(*anomaly));
    return anomaly.has_value();
  }
  void add(std::vector<Anomaly> anomalies) { std::ranges::move(anomalies, std::back_inserter(found_.anomalies)); }

  void check_loss(const StepOutput& output, std::optional<Index> classes);
  void check_ops(const RecordedStep& step);
  void check_registered(const Tape& tape);
  void check_reached();
  void check_gradients(double loss);
  std::vector<Anomaly> wrong_gradients(const Batch& batch, double loss);
  void check_dependence(const RecordedStep& step);

  const Setup& setup_;
  Stop& stop_;
  Rehearsal rehearsal_;
  Batch batch_;
  FirstBatchFindings found_;
};

FirstBatchFindings FirstBatch::check(std::optional<Index> classes) {
  const CheckOptions& on = setup_.options.checks;
  StepGraph graph(setup_.parameters);
  Tape tape(Mode::train, rehearsal_.random());
  tape.observe(&graph);
  const StepOutput output = setup_.training_output(batch_, 0);
  stop_.poll();
  check_loss(output, classes);
  const RecordedStep step{.graph = graph,
                          .loss = output.loss,
                          .predictions = output.predictions,
                          .inputs = batch_.inputs,
                          .targets = batch_.targets,
                          .task = setup_.info.task};
  check_ops(step);
  if (on.reach) check_registered(tape);
  const auto loss = static_cast<double>(output.loss.item());
  graph.keep_gradient_of(predictions_of(step));
  tape.backward(output.loss);
  tape.observe(nullptr);
  if (on.structure) add(try_outputs(setup_, rehearsal_, stop_, batch_, step, graph.kept_gradient()));
  if (on.reach) check_reached();
  if (on.reach) add(check_zero_gradient(step, setup_.parameters));
  if (on.initial_weights) add(check_copied_units(step, setup_.parameters));
  if (on.gradients && !detaches_predictions(step)) check_gradients(loss);
  setup_.optimizer->zero_grad();
  if (on.dependence) check_dependence(step);
  return std::move(found_);
}

// Computed from the predictions, because a subclass may add other terms to its loss.
void FirstBatch::check_loss(const StepOutput& output, std::optional<Index> classes) {
  const bool known = setup_.plain_loss() && setup_.info.task != Task::regression;
  if (!setup_.options.checks.initial_loss || !known || !output.predictions.defined()) return;
  const NoGrad values_only;
  const auto loss = static_cast<double>((*setup_.loss)(output.predictions, batch_.targets).item());
  if (is_finite(loss)) add(check_initial_loss(loss, setup_.info.task, classes.value_or(2), output.predictions));
}

void FirstBatch::check_ops(const RecordedStep& step) {
  const CheckOptions& on = setup_.options.checks;
  if (on.structure) {
    add(check_structure(step));
    if (const std::string layers = useless_biases(step); !layers.empty())
      found_.summary.push_back({"useless bias", "of layers " + layers + ": batch_norm subtracts it"});
  }
  if (on.initial_weights) {
    add(check_equal_units(step, setup_.parameters));
    add(check_saturation(step));
    // Dead units follow from signals that vanish, and large outputs from what made units dead.
    if (add(check_masked_class(step)) || add(check_scale_of_predictions(step))) return;
    const auto size = check_size_of_outputs(step);
    if (size && size->name == "vanishing_activations") return void(add(size));
    if (!add(check_dead_at_start(step)) && !add(size)) add(check_offset_of_predictions(step));
  }
}

// A layer that is a plain member and was not added to its module would not be trained.
void FirstBatch::check_registered(const Tape& tape) {
  for (const Tensor& leaf : tape.leaves())
    if (std::ranges::none_of(setup_.parameters, [&](const Parameter& p) { return p.tensor.is_same(leaf); }))
      add(Anomaly{.name = "unregistered",
                  .evidence = concat("a tensor of shape ", leaf.shape(),
                                     " that the loss depends on is not a parameter: it is not trained"),
                  .cause = "a layer that is a plain member of its module",
                  .remedy = "register its layer with add(), or the tensor with param()"});
}

void FirstBatch::check_reached() {
  for (const Parameter& p : setup_.parameters)
    if (p.tensor.requires_grad() && !p.tensor.grad().defined())
      add(Anomaly{.name = "unreached",
                  .where = p.name,
                  .evidence = "the loss does not depend on this parameter: it is not trained",
                  .cause = "a layer that forward() does not use, or a detach() between it and the loss",
                  .remedy = "use it in forward(), remove it, or freeze it"});
}

// Inputs and targets that are far too large or too small leave float no digits for the differences: gradients that look
// wrong are then checked again on a batch that is standardised.
void FirstBatch::check_gradients(double loss) {
  std::vector<Anomaly> found = wrong_gradients(batch_, loss);
  if (!found.empty() && !is_of_usual_size(batch_, setup_.info.task)) {
    const Batch usual = standardised(batch_, setup_.info.task);
    setup_.optimizer->zero_grad();
    Tape tape(Mode::train, rehearsal_.random());
    const StepOutput output = setup_.training_output(usual, 0);
    tape.backward(output.loss);
    found = wrong_gradients(usual, static_cast<double>(output.loss.item()));
  }
  add(std::move(found));
}

// The parameters are checked one by one when that takes no longer than a few per cent of the run, else all together.
std::vector<Anomaly> FirstBatch::wrong_gradients(const Batch& batch, double loss) {
  constexpr std::size_t steps_to_a_tensor = 20;
  std::vector<Anomaly> found;
  const auto keep = [&](std::optional<Anomaly> anomaly) {
    if (anomaly) found.push_back(std::move(*anomaly));
  };
  BufferCopy buffers(setup_.buffers);
  const auto again = [&] {
    stop_.poll();
    buffers.restore();
    Tape tape(Mode::train, rehearsal_.random());
    const NoGrad values_only;
    return static_cast<double>(setup_.training_output(batch, 0).loss.item());
  };
  // A step with random numbers of its own gives another loss each time, which says nothing of the gradient.
  constexpr double repeatable = 1e-3;
  if (!(std::abs(again() - loss) <= repeatable * std::abs(loss))) return found;
  const std::span<const Parameter> all = setup_.parameters;
  const auto planned = static_cast<std::size_t>(std::max<std::int64_t>(setup_.decisions.planned_steps, 0));
  if (all.size() * steps_to_a_tensor > planned)
    keep(check_gradient(all, again, loss));
  else
    for (std::size_t i = 0; i < all.size(); ++i) keep(check_gradient(all.subspan(i, 1), again, loss));
  return found;
}

// In evaluation mode, where each sample has its prediction whatever else is in the batch.
void FirstBatch::check_dependence(const RecordedStep& step) {
  const InferenceMode inference;
  const Predict predict = [&](const Tensor& inputs) {
    stop_.poll();
    return setup_.recipe.predict_step(inputs);
  };
  const auto loss_by = [&](StepOutput (Recipe::*step_of)(const Batch&)) -> LossOf {
    return [&, step_of](const Batch& batch) {
      stop_.poll();
      return static_cast<double>((setup_.recipe.*step_of)(batch).loss.item());
    };
  };
  const LossOf training = loss_by(&Recipe::training_step), validation = loss_by(&Recipe::validation_step);
  try {
    add(check_is_mean(training, batch_));
    const auto read_in_evaluation = [&] {
      StepGraph graph(setup_.parameters);
      Tape tape(Mode::eval);
      tape.observe(&graph);
      predict(batch_.inputs);
      return first_layer_inputs(graph);
    };
    const bool scaled = setup_.layer && add(check_same_scale(first_layer_inputs(step.graph), read_in_evaluation()));
    add(check_validation(validation, training, batch_));
    if (!setup_.layer) return;
    add(check_uses_targets(training, predict, batch_));
    if (add(check_repeatable(predict, batch_.inputs))) return;  // the others compare predictions
    add(check_rows_apart(predict, batch_.inputs));
    add(check_uses_inputs(predict, batch_.inputs));
    const bool differs_by_design = std::ranges::any_of(
        step.graph.ops(), [](const auto& op) { return op.name == "dropout" || op.name == "batch_norm"; });
    if (step.predictions.defined() && !differs_by_design && !scaled)
      add(check_same_predictions(step.predictions, predict(batch_.inputs)));
  } catch (const ShapeError&) {
    // A program may take batches of one size only.
  }
}

}  // namespace

FirstBatchFindings check_first_batch(const Setup& setup, const Position& at, Stop& stop, std::optional<Index> classes) {
  const CheckOptions& on = setup.options.checks;
  if (!on.initial_loss && !on.reach && !on.structure && !on.initial_weights && !on.gradients && !on.dependence)
    return {};
  return FirstBatch(setup, at, stop).check(classes);
}

}  // namespace handrail::train
