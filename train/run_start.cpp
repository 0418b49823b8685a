// What happens before the first step: checks of data and model, and the choice of the rate.
#include <algorithm>
#include <cmath>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/finite.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/standardize.h>
#include <handrail/optim/clip.h>
#include <handrail/train/data_checks.h>
#include <handrail/train/label_checks.h>
#include <handrail/train/lr_scaling.h>
#include <handrail/train/prediction_checks.h>
#include <handrail/train/preview.h>
#include <handrail/train/run.h>
#include <handrail/train/scale_checks.h>
#include <handrail/train/text.h>
#include <handrail/train/text.h>

namespace handrail::train {
namespace {

// Whether the first layer brings inputs of any scale to a common one.
bool normalises(const nn::Module& model) {
  for (const nn::Module* module : model.modules()) {
    if (dynamic_cast<const nn::Standardize*>(module) || dynamic_cast<const nn::BatchNorm1d*>(module)) return true;
    if (!module->parameters().empty() && module->modules().size() == 1) return false;
  }
  return false;
}

// Whether some target differs from the first one. Mostly it is in the first batch.
bool targets_vary(const Loader& loader) {
  const Tensor first = loader.batch(0).targets.clone();
  const std::size_t width = first.span().size() / static_cast<std::size_t>(first.shape()[0]);
  for (Index i = 0; i < loader.size(); ++i) {
    const Tensor targets = loader.batch(i).targets;
    for (std::size_t j = 0; j < targets.span().size(); ++j)
      if (!(targets.span()[j] == first.span()[j % width])) return true;
  }
  return false;
}

}  // namespace

// While it lives the run rehearses, with other random numbers. At its end, exceptions or not, everything is
// as it was before.
class Trainer::Run::Rehearsal {
 public:
  explicit Rehearsal(Run& run) : run_(run), moments_(run.optimizer_->state()), progress_(run.progress_) {
    run_.keep_weights(parameters_, buffers_);
    run_.rehearsal_ = true;
  }
  ~Rehearsal() {
    run_.optimizer_->zero_grad();
    run_.optimizer_->load_state(moments_);
    run_.put_back_weights(parameters_, buffers_);
    run_.progress_ = std::move(progress_);
    run_.loader_->start_epoch(run_.progress_.epoch);
    run_.rehearsal_ = false;
  }
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  /// One step at that rate, clipped as in the run. Returns the loss before it; it or the step itself may
  /// turn out not to be finite, then nothing is changed.
  double step(double lr, Index first, Index count) {
    StepStats stats{};
    double seen = 0;
    run_.optimizer_->zero_grad();
    const bool finite = run_.backward(first, count, stats, [&](double loss) {
      seen = loss;
      return is_finite(loss);
    });
    run_.progress_.micro_step += count;
    if (!finite) return seen;
    const double norm = run_.optimizer_->grad_norm();
    if (!is_finite(norm)) return norm;
    const auto clip = run_.options_.clip_norm;
    try {
      run_.optimizer_->step(lr, clip ? optim::clip_scale(norm, *clip) : 1.0);
    } catch (const NonFiniteError&) {
      refused_ = true;
    }
    return seen;
  }
  /// Whether an update would have been non-finite.
  bool refused() const { return refused_; }

 private:
  Run& run_;
  optim::OptimizerState moments_;
  Progress progress_;
  NamedTensors parameters_, buffers_;
  bool refused_ = false;
};

// All that comes before the first step. The summary is the first sign of life; a signal ends it at any point, and then
// nothing is left behind.
void Trainer::Run::prepare() {
  start_event();
  trainer_.on_fit_start();
  read_data();
  loader_->start_epoch(1);
  check_monitor();
  if (!options_.fast_dev_run) {
    check_data();
    check_model();
    if (!options_.lr && goes_on()) pick_lr();
    if (options_.guards.divergence) measure_start();
  }
  data_.train_preview = data_.validation_preview = nullptr;
  if (store_) settings_ = settings();  // reads samples and all row numbers: only for a run that may be resumed
  add_guards();
  keep_good_state();
  if (store_) save_first_state();
  begun_ = true;
  train_start_event();
  trainer_.on_train_start();
}

// Chooses the rows of the split, fits the normalization, and makes the loaders of the run. Data that is not in memory
// is read once for this and for the checks.
void Trainer::Run::read_data() {
  const CheckOptions& on = options_.checks;
  const bool looks =
      !resumed_ && !quiet_ && !options_.fast_dev_run && (on.finite || on.input_scale || on.labels || on.duplicates);
  if (looks || data_.stratify) data_.train_preview = preview(data_.train, "reading the data", data_.stratify);
  if (looks && data_.validation && data_.validation != &data_.train)
    data_.validation_preview = preview(*data_.validation, "reading the validation data", false);
  if (data_.stratify) trainer_.stratify(data_);
  if (data_.validation == &data_.train) data_.validation_preview = data_.train_preview;
  ModelInfo& info = trainer_.info_;
  info.input_shape = data_.train.input_shape();
  info.target_shape = data_.train.target_shape();
  info.normalization =
      options_.normalization ? options_.normalization : data_.train.fit_normalization(data_.train_rows);
  if (data_.validation) trainer_.check_known(*data_.validation, "fit");
  data_.train_rows = rows_to_train();
  make_loaders();
}

std::shared_ptr<const Preview> Trainer::Run::preview(const Dataset& data, const char* what, bool all_targets) {
  if (data.in_memory()) return nullptr;
  return std::make_shared<Preview>(data, all_targets, [&](Index done, Index total) { poll(what, done, total); });
}

std::vector<Index> Trainer::Run::rows_to_train() const {
  std::vector<Index> rows = data_.train_rows;
  if (options_.overfit_batches) {
    const auto most = static_cast<std::size_t>(*options_.overfit_batches * options_.batch_size);
    rows.resize(std::min(rows.size(), most));
  }
  return rows;
}

void Trainer::Run::make_loaders() {
  LoaderOptions loading{.batch_size = options_.batch_size,
                        .shuffle_seed = decisions_.seed,
                        .drop_last = options_.drop_last,
                        .normalization = trainer_.info_.normalization};
  if (options_.overfit_batches) loading.shuffle_seed.reset();
  loader_.emplace(data_.train, rows_to_train(), loading);
  if (data_.validation) validation_.emplace(trainer_.eval_loader(*data_.validation, data_.validation_rows));
}

LrFinderResult Trainer::Run::find_lr(const std::optional<LrFinderOptions>& options) {
  read_data();
  loader_->start_epoch(1);
  return options ? sweep(*options) : sweep();
}

PlannedRun Trainer::Run::planned_run() const {
  return {.steps = decisions_.planned_steps,
          .samples = std::ssize(data_.train_rows),
          .task = trainer_.info_.task,
          .plain_loss = trainer_.plain_loss()};
}

// In noise a fall may be too small for a short sweep to see.
LrFinderResult Trainer::Run::sweep() {
  LrFinderOptions options{.end = is_adam_like(*optimizer_) ? 1.0 : 10.0};
  const Index full = std::exchange(options.steps, sweep_steps(planned_run()));
  const LrFinderResult found = sweep(options);
  if (found.suggestion || options.steps == full || found.noise == 0) return found;
  options.steps = full;
  return sweep(options);
}

LrFinderResult Trainer::Run::sweep(const LrFinderOptions& options) {
  // The loss would fall, towards a model that gives one answer whatever the input. A loss of the user's own
  // may not look at the targets.
  if (trainer_.plain_loss() && !targets_vary(*loader_)) {
    LrFinderResult refused;
    refused.note = "all targets are the same, so there is nothing to learn";
    return refused;
  }
  LrSweep sweep(options);
  Rehearsal rehearsal(*this);
  constexpr Index most_skipped = 50;
  Index epoch = 1, batch = 0, skipped = 0;
  while (true) {
    if (batch >= batches()) {
      loader_->start_epoch(++epoch);
      batch = 0;
    }
    const Index count = std::min(options_.accumulate_grad_batches, batches() - batch);
    const double loss = rehearsal.step(sweep.lr(), batch, count);
    const bool poisoned = !is_finite(loss) && !finite_batches(batch, count);
    batch += count;
    poll("finding the learning rate", sweep.steps_done(), sweep.steps());
    // Says nothing about the rate; without a single good batch the sweep must end.
    if (poisoned && ++skipped < most_skipped) continue;
    if (!sweep.add(loss)) break;
    if (rehearsal.refused()) {
      sweep.diverge();
      break;
    }
  }
  return sweep.result(planned_run());
}

// Whether inputs and targets of those batches are finite, and their squares.
bool Trainer::Run::finite_batches(Index first, Index count) const {
  const auto sound = [](const Tensor& values) {
    return std::ranges::all_of(values.span(), [](Scalar value) { return is_finite(value * value); });
  };
  for (Index i = first; i < first + count; ++i) {
    const Batch batch = loader_->batch(i);
    if (!sound(batch.inputs) || !sound(batch.targets)) return false;
  }
  return true;
}

void Trainer::Run::pick_lr() {
  const LrFinderResult found = sweep();
  if (found.suggestion) {
    set_lr(*found.suggestion);
  } else {
    warn({.name = "no_usable_lr",
          .evidence = concat("the LR finder found none; using the optimizer's default ", short_form(decisions_.lr)),
          .cause = "a loss that does not depend on the parameters, targets without a pattern, or a model that is "
                   "trained already",
          .remedy = "check the data and the loss, or set lr",
          .details = found.note});
  }
  result_.lr_finder = found;
}

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
  if (on.input_scale && !normalises(trainer_.model_)) warn_one(check_input_scale(train));
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
