// What is looked at before the first step: data, model and first losses.
#include <algorithm>
#include <cmath>
#include <iterator>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/data_checks.h>
#include <handrail/train/checks/label_checks.h>
#include <handrail/train/checks/prediction_checks.h>
#include <handrail/train/data/internal/preview.h>
#include <handrail/train/run/internal/rehearsal.h>
#include <handrail/train/checks/scale_checks.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// Whether the model normalises its inputs before the first other layer with parameters.
bool normalises_inputs(const nn::Module& model) {
  for (const nn::Module* module : model.modules()) {
    if (module->normalises()) return true;
    if (!module->parameters().empty() && module->modules().size() == 1) return false;
  }
  return false;
}

}  // namespace

void Trainer::Run::check_data() {
  const CheckOptions& on = options_.checks;
  const auto seen = [&](const Dataset& data, std::span<const Index> rows, const Preview* preview, const char* name) {
    return DataPart{.dataset = preview ? *preview : data,
                    .rows = rows,
                    .normalization = trainer_.info_.normalization,
                    .name = name,
                    .progress = [this](Index done, Index total) { poll("checking the data", done, total); }};
  };
  // Of a set too large to keep, the rows that were kept.
  const auto kept = [](const std::vector<Index>& rows, const Preview* preview) {
    if (!preview || std::ssize(preview->kept()) == preview->size()) return rows;
    std::vector<Index> both;
    std::ranges::set_intersection(rows, preview->kept(), std::back_inserter(both));
    return both;
  };
  const std::vector<Index> rows = kept(data_.train_rows, data_.train_preview.get()),
                           held_out = kept(data_.validation_rows, data_.validation_preview.get());
  const DataPart train = seen(data_.train, rows, data_.train_preview.get(), "training");
  std::optional<DataPart> validation;
  if (data_.validation && !held_out.empty())
    validation.emplace(seen(*data_.validation, held_out, data_.validation_preview.get(), "validation"));
  if (std::ssize(rows) < std::ssize(data_.train_rows))
    found_.push_back(
        {"checked samples", concat(grouped(std::ssize(rows)), " of ", grouped(std::ssize(data_.train_rows)),
                                   ", evenly spaced: no more fit in memory")});
  if (on.finite) {
    check_finite(train);
    if (validation) check_finite(*validation);
  }
  const auto warn_all = [&](auto&& anomalies) {
    for (auto& anomaly : anomalies) warn(std::move(anomaly));
  };
  const auto warn_one = [&](std::optional<Anomaly> anomaly) {
    if (anomaly) warn(std::move(*anomaly));
  };
  if (on.input_scale && !normalises_inputs(trainer_.model_)) warn_one(check_input_scale(train));
  if (on.input_scale && trainer_.info_.task == Task::regression) warn_one(check_target_scale(train));
  if (on.labels) {
    const auto known = classes();
    const auto names = std::ssize(options_.class_names);
    if (known && names > 0 && names != *known)
      fail<OptionError>("fit: want a name for each of the ", *known, " outputs; got ", names, " class_names");
    warn_all(check_class_counts(count_labels(train, trainer_.info_.task, known)));
    if (validation) count_labels(*validation, trainer_.info_.task, known);
  }
  if (on.duplicates && validation) warn_one(check_duplicates(train, *validation));
}

// Of the predictions, when the model tells. A subclass may train a layer on other inputs than the batch's.
std::optional<Index> Trainer::Run::classes() {
  if (!trainer_.layer_ || trainer_.info_.task != Task::multiclass) return std::nullopt;
  const InferenceMode inference;
  try {
    const Tensor predictions = trainer_.predict_step(loader_->batch(0).inputs);
    return predictions.shape().rank() == 2 ? std::optional(predictions.shape()[1]) : std::nullopt;
  } catch (const ShapeError&) {
    return std::nullopt;
  }
}

// A figure that nobody measures is an error before the first step, not after the first epoch; so are predictions
// that do not suit a metric.
void Trainer::Run::check_monitor() {
  const bool unmeasured = options_.metrics.empty() || !validation_;
  if (unmeasured && (options_.monitor == "train_loss" || options_.monitor == "val_loss")) return;
  Rehearsal rehearsal(*this);
  {
    Tape tape(Mode::train, {.seed = decisions_.seed, .position = position(0)});
    progress_.epoch_metrics = training_output(loader_->batch(0), 0).metrics;
    progress_.epoch_samples = 1;
  }
  monitored(validation_ ? trainer_.evaluate(*validation_, 1) : Evaluation{});
}

void Trainer::Run::check_model() {
  for (Anomaly& anomaly : check_first_batch()) warn(std::move(anomaly));
  poll();
  if (options_.checks.overfit_batch) check_overfit_batch();
}

// The first batch, once through: the loss is about that of guessing, and it depends on every parameter
// and on nothing else that could be trained.
std::vector<Anomaly> Trainer::Run::check_first_batch() {
  const CheckOptions& on = options_.checks;
  std::vector<Anomaly> found;
  if (!on.initial_loss && !on.reach) return found;
  Rehearsal rehearsal(*this);
  const Batch batch = loader_->batch(0);
  Tape tape(Mode::train, {.seed = decisions_.seed, .position = position(0)});
  const StepOutput output = training_output(batch, 0);
  poll();
  const bool known = trainer_.plain_loss() && trainer_.info_.task != Task::regression;
  if (on.initial_loss && known && output.predictions.defined()) {
    // Of the predictions: a subclass may train on more than the plain loss.
    const NoGrad values_only;
    const auto loss = static_cast<double>((*trainer_.loss_)(output.predictions, batch.targets).item());
    if (is_finite(loss))
      if (auto anomaly = check_initial_loss(loss, trainer_.info_.task, classes().value_or(2)))
        found.push_back(std::move(*anomaly));
  }
  if (!on.reach) return found;
  // A layer that is a plain member, not added to its module, would silently stay as it was initialised.
  for (const Tensor& leaf : tape.leaves())
    if (std::ranges::none_of(parameters_, [&](const Parameter& p) { return p.tensor.is_same(leaf); }))
      found.push_back({.name = "unregistered",
                       .evidence = concat("a tensor of shape ", leaf.shape(),
                                          " that the loss depends on is not a parameter: it is not trained"),
                       .cause = "a layer that is a plain member of its module",
                       .remedy = "register its layer with add(), or the tensor with param()"});
  tape.backward(output.loss);
  for (const Parameter& p : parameters_)
    if (p.tensor.requires_grad() && !p.tensor.grad().defined())
      found.push_back({.name = "unreached",
                       .where = p.name,
                       .evidence = "the loss does not depend on this parameter: it is not trained",
                       .cause = "a layer that forward() does not use, or a detach() between it and the loss",
                       .remedy = "use it in forward(), remove it, or freeze it"});
  return found;
}

// The learning part works: a few steps on one batch bring its loss down.
void Trainer::Run::check_overfit_batch() {
  constexpr int most_steps = 50;
  constexpr double enough = 0.05;
  Rehearsal rehearsal(*this);
  poll();
  const double lr = 3 * optimizer_->default_lr();
  const double first = rehearsal.step(lr, 0, 1);
  double loss = first;
  for (int step = 1; step < most_steps && is_finite(loss); ++step) {
    poll("checking that one batch can be learnt", step, most_steps);
    loss = rehearsal.step(lr, 0, 1);
    if (loss < first - enough * std::abs(first)) return;
  }
  if (!is_finite(loss)) return;  // for the guards to name
  warn({.name = "overfit_batch",
        .evidence = concat(most_steps, " steps on one batch lowered its loss only from ", short_form(first), " to ",
                           short_form(loss)),
        .cause = "gradients that do not reach the weights, dead units, or targets on another scale than the outputs",
        .remedy = "find a model that can memorise one batch first"});
}

// What losses are like with the initial weights. The first ones of the run are no measure of that when the
// rate is far too high. Ten times as much is a state that nobody wants back.
void Trainer::Run::measure_start() {
  constexpr double far_above = 10;
  Rehearsal rehearsal(*this);
  InitialLoss initial;
  for (std::size_t i = 0; i < InitialLoss::wanted; ++i) {
    poll("measuring the first losses", static_cast<Index>(i), InitialLoss::wanted);
    const double loss = loss_of(static_cast<Index>(i) % batches());
    if (!is_finite(loss)) return;
    initial.add(loss);
    ++progress_.micro_step;
  }
  healthy_below_ = initial.mean() + far_above * std::max(initial.magnitude(), initial.spread());
}

}  // namespace handrail::train
