#include <handrail/train/trainer.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/finite.h>
#include <handrail/core/tape.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/clip.h>
#include <handrail/train/metrics.h>
#include <handrail/train/summary.h>

namespace handrail::train {
namespace {

constexpr Index eval_batch_size = 256;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Calls step, whose complaint about a row of the batch becomes one about a row of the data set.
template <class Step>
StepOutput with_named_rows(const char* data, const Loader& loader, Index batch, Step&& step) {
  try {
    return step();
  } catch (const DataError& error) {
    const auto rows = loader.rows(batch);
    if (error.row < 0 || error.row >= std::ssize(rows)) throw;
    const Index row = rows[static_cast<std::size_t>(error.row)];
    throw DataError(concat("row ", row, " of the ", data, " set: ", error.what(), " of the batch"), row);
  }
}

}  // namespace

// What one call of fit works on.
struct Trainer::Run {
  Loader& loader;
  const Loader* validation;
  optim::Optimizer& optimizer;
  const optim::Schedule& schedule;
  std::vector<std::unique_ptr<Guard>> guards = {};
  std::int64_t micro_step = 0;
  double epoch_loss = 0;  // summed over the samples trained on
  Index epoch_samples = 0;
  FitResult result = {};
};

Trainer::Trainer(nn::Layer& model, Loss loss, TrainerOptions options)
    : Trainer(model, std::move(options), loss.task()) {
  loss_ = std::move(loss);
}

Trainer::Trainer(nn::Module& model, TrainerOptions options, Task task)
    : model_(model),
      task_(task),
      layer_(dynamic_cast<const nn::Layer*>(&model)),
      options_(std::move(options)),
      normalization_(options_.normalization) {
  validate(options_);
}

Trainer::~Trainer() = default;

FitResult Trainer::fit(const Dataset& train) {
  if (options_.validation_split && train.size() < 2)
    fail<DataError>("fit: want at least 2 rows to split a validation set off; got ", train.size(),
                    "; give one, or set validation_split = off");
  if (!options_.validation_split) return fit(train, all_rows(train), nullptr, {}, "no validation set");
  auto [rows, held_out] = split_rows(train.size(), *options_.validation_split, options_.seed);
  return fit(train, std::move(rows), &train, std::move(held_out),
             concat(*options_.validation_split * 100, " % split off by seed"));
}

FitResult Trainer::fit(const Dataset& train, const Dataset& validation) {
  return fit(train, all_rows(train), &validation, all_rows(validation), "given");
}

FitResult Trainer::fit(const Dataset& train, std::vector<Index> rows, const Dataset* validation,
                       std::vector<Index> validation_rows, const std::string& validation_source) {
  const double start = now();
  stop_requested_ = false;
  normalization_ = options_.normalization ? options_.normalization : train.fit_normalization(rows);
  Loader loader(train, std::move(rows),
                {.batch_size = options_.batch_size,
                 .shuffle_seed = options_.seed,
                 .drop_last = options_.drop_last,
                 .normalization = normalization_});
  std::optional<Loader> validation_loader;
  if (validation) validation_loader.emplace(eval_loader(*validation, std::move(validation_rows)));
  const auto optimizer = configure_optimizer();
  if (!optimizer) fail<OptionError>("fit: want an optimizer from configure_optimizer; got null");
  const std::int64_t planned_steps = options_.epochs * loader.size();
  const double lr = options_.lr.value_or(optimizer->default_lr());
  const optim::Schedule schedule = configure_schedule(lr, planned_steps);
  if (!schedule) fail<OptionError>("fit: want a schedule from configure_schedule; got an empty function");

  Run run{.loader = loader,
          .validation = validation ? &*validation_loader : nullptr,
          .optimizer = *optimizer,
          .schedule = schedule};
  if (options_.max_non_finite) run.guards.push_back(std::make_unique<NonFiniteGuard>(*options_.max_non_finite));

  const FitStart event{.summary = summarise(options_, {.model = model_,
                                                       .optimizer = *optimizer,
                                                       .lr = lr,
                                                       .loader = loader,
                                                       .validation = run.validation,
                                                       .validation_source = validation_source,
                                                       .normalization = normalization_}),
                       .epochs = options_.epochs,
                       .steps_per_epoch = loader.size(),
                       .planned_steps = planned_steps};
  for (const auto& sink : options_.sinks) sink->fit_start(event);
  const auto finish = [&] {
    run.optimizer.zero_grad();
    run.result.seconds = now() - start;
    for (const auto& sink : options_.sinks) sink->fit_end(run.result);
    on_fit_end(run.result);
  };
  try {
    on_fit_start();
    run_epochs(run);
  } catch (...) {
    run.result.reason = StopReason::exception;
    finish();
    throw;
  }
  finish();
  return run.result;
}

void Trainer::run_epochs(Run& run) {
  for (Index epoch = 1; epoch <= options_.epochs && run.result.reason == StopReason::finished; ++epoch) {
    const double start = now();
    run.loader.start_epoch(epoch);
    run.epoch_loss = 0;
    run.epoch_samples = 0;
    on_epoch_start(epoch);
    for (Index batch = 1; batch <= run.loader.size(); ++batch)
      if (!train_batch(run, epoch, batch)) return;

    EpochStats stats{.epoch = epoch,
                     .step = run.result.steps,
                     .train_loss = run.epoch_loss / static_cast<double>(run.epoch_samples),
                     .validation = {},
                     .seconds = 0};
    if (run.validation) stats.validation = evaluate(*run.validation);
    stats.seconds = now() - start;
    run.result.epochs = epoch;
    run.result.train_loss = stats.train_loss;
    run.result.validation = stats.validation;
    for (const auto& guard : run.guards)
      if (guard->after_epoch(stats) == Verdict::stop) {
        report(run, {.name = guard->name(), .step = stats.step, .text = guard->reason()});
        run.result.reason = StopReason::guard;
      }
    for (const auto& sink : options_.sinks) sink->epoch_end(stats);
    on_epoch_end(stats);
    if (stop_requested_) run.result.reason = StopReason::requested;
  }
}

// One batch: tape -> training_step -> backward -> measure -> guards -> clip -> update. Returns whether
// training goes on.
bool Trainer::train_batch(Run& run, Index epoch, Index batch_number) {
  const Batch batch = run.loader.batch(batch_number - 1);
  StepStats stats{.step = run.result.steps + 1,
                  .micro_step = run.micro_step,
                  .epoch = epoch,
                  .batch = batch_number,
                  .samples = batch.inputs.shape()[0],
                  .loss = 0,
                  .grad_norm = 0,
                  .lr = run.schedule(run.result.steps + 1)};
  run.optimizer.zero_grad();
  {
    Tape tape(Mode::train, {.seed = options_.seed, .position = static_cast<std::uint64_t>(run.micro_step)});
    const Tensor loss =
        with_named_rows("training", run.loader, batch_number - 1, [&] { return training_step(batch); }).loss;
    if (loss.size() != 1) fail<ShapeError>("training_step: want a loss of one element; got shape ", loss.shape());
    if (run.micro_step == 0) report_unregistered(run, tape);
    stats.loss = static_cast<double>(loss.item());
    tape.backward(loss);
  }
  ++run.micro_step;
  stats.grad_norm = run.optimizer.grad_norm();

  Verdict verdict = Verdict::proceed;
  for (const auto& guard : run.guards) {
    const Verdict one = guard->before_update(stats);
    if (one != Verdict::proceed) report(run, {.name = guard->name(), .step = stats.step, .text = guard->reason()});
    verdict = std::max(verdict, one);
  }
  if (verdict == Verdict::proceed) {
    const bool clip = options_.clip_norm && is_finite(stats.grad_norm);
    run.optimizer.step(stats.lr, clip ? optim::clip_scale(stats.grad_norm, *options_.clip_norm) : 1.0);
    run.epoch_loss += stats.loss * static_cast<double>(stats.samples);
    run.epoch_samples += stats.samples;
    ++run.result.steps;
  } else {
    ++run.result.skipped;
    if (verdict == Verdict::stop) run.result.reason = StopReason::guard;
  }
  for (const auto& sink : options_.sinks) sink->step_end(stats);
  on_step_end(stats);
  if (stop_requested_) run.result.reason = StopReason::requested;
  return run.result.reason == StopReason::finished;
}

// A layer that is a plain member, not added to its module, would silently stay as it was initialised.
void Trainer::report_unregistered(Run& run, const Tape& tape) {
  const auto params = model_.parameters();
  for (const Tensor& leaf : tape.leaves())
    if (std::ranges::none_of(params, [&](const Parameter& p) { return p.tensor.is_same(leaf); }))
      report(run, {.name = "unregistered",
                   .step = 1,
                   .text = concat("the loss depends on a tensor of shape ", leaf.shape(),
                                  " that requires a gradient but is no parameter of the model, so it is not trained; "
                                  "register its layer with add(), or it with param()")});
}

void Trainer::report(Run& run, Anomaly anomaly) {
  for (const auto& sink : options_.sinks) sink->anomaly(anomaly);
  on_anomaly(anomaly);
  run.result.anomalies.push_back(std::move(anomaly));
}

Loader Trainer::eval_loader(const Dataset& data, std::vector<Index> rows) const {
  return {data, std::move(rows), {.batch_size = eval_batch_size, .normalization = normalization_}};
}

Evaluation Trainer::evaluate(const Dataset& data) { return evaluate(eval_loader(data, all_rows(data))); }

Evaluation Trainer::evaluate(const Loader& loader) {
  const InferenceMode inference;
  Evaluation total;
  Index correct = 0;
  bool counted = false;
  for (Index i = 0; i < loader.size(); ++i) {
    const Batch batch = loader.batch(i);
    const Index samples = batch.inputs.shape()[0];
    const StepOutput output = with_named_rows("evaluated", loader, i, [&] { return validation_step(batch); });
    total.loss += static_cast<double>(output.loss.item()) * static_cast<double>(samples);
    total.samples += samples;
    if (output.predictions.defined())
      if (const auto right = count_correct(task_, output.predictions, batch.targets)) {
        correct += *right;
        counted = true;
      }
  }
  total.loss /= static_cast<double>(total.samples);
  if (counted) total.accuracy = static_cast<double>(correct) / static_cast<double>(total.samples);
  return total;
}

Tensor Trainer::predict(const Dataset& data) {
  const InferenceMode inference;
  const Loader loader = eval_loader(data, all_rows(data));
  Tensor all;
  Index done = 0;
  for (Index i = 0; i < loader.size(); ++i) {
    const Tensor outputs = predict_step(loader.batch(i).inputs);
    if (!all.defined()) all = Tensor(outputs.shape().with_first(data.size()));
    std::ranges::copy(outputs.span(), all.mutable_data() + done);
    done += outputs.size();
  }
  return all;
}

Tensor Trainer::predict(const Tensor& inputs) {
  const InferenceMode inference;
  return predict_step(inputs);
}

StepOutput Trainer::training_step(const Batch& batch) {
  if (!layer_ || !loss_)
    fail<OptionError>("Trainer: want a Layer and a loss, or a subclass that overrides training_step; got neither");
  const Tensor predictions = layer_->forward(batch.inputs);
  return {.loss = (*loss_)(predictions, batch.targets), .predictions = predictions};
}

StepOutput Trainer::validation_step(const Batch& batch) { return training_step(batch); }

Tensor Trainer::predict_step(const Tensor& inputs) {
  if (!layer_) fail<OptionError>("Trainer: want a Layer, or a subclass that overrides predict_step; got neither");
  return layer_->forward(inputs);
}

std::unique_ptr<optim::Optimizer> Trainer::configure_optimizer() {
  return std::make_unique<optim::AdamW>(optim::decay_groups(model_.parameters(), options_.weight_decay.value_or(0)));
}

optim::Schedule Trainer::configure_schedule(double lr, std::int64_t planned_steps) {
  const auto warmup_steps =
      static_cast<std::int64_t>(std::llround(options_.warmup.value_or(0) * static_cast<double>(planned_steps)));
  const optim::WarmupOptions plan{.peak = lr,
                                  .warmup_steps = std::min(warmup_steps, planned_steps - 1),
                                  .total_steps = planned_steps,
                                  .floor = options_.decay == Decay::constant ? lr : 0};
  return options_.decay == Decay::cosine ? optim::warmup_cosine(plan) : optim::warmup_linear(plan);
}

}  // namespace handrail::train
