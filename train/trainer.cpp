#include <handrail/train/trainer.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/optim/adam.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/files/signals.h>
#include <handrail/train/run/internal/evaluate.h>
#include <handrail/train/run/fixes/internal/fix_trials.h>
#include <handrail/train/run/fixes/internal/repair.h>
#include <handrail/train/run/internal/refit.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {
namespace {

// The options with what overfit_batches and fast_dev_run imply.
TrainerOptions effective(TrainerOptions o) {
  if (o.table && o.class_names.empty()) o.class_names = o.table->classes;
  // A model that memorises a few batches does not generalise: that must not stop the run.
  if (o.overfit_batches) {
    o.patience = off;
    o.restore_best = false;
  }
  if (!o.fast_dev_run) return o;
  o.epochs = 1;
  o.limit_train_batches = o.limit_val_batches = 1;
  o.accumulate_grad_batches = 1;
  o.checkpoints = off;
  o.metrics_csv = off;
  o.report = false;
  return o;
}

}  // namespace

Trainer::Trainer(nn::Layer& model, Loss loss, TrainerOptions options)
    : Trainer(model, std::move(options), loss.task()) {
  loss_ = std::move(loss);
}

Trainer::Trainer(nn::Module& model, TrainerOptions options, Task task)
    : model_(model),
      layer_(dynamic_cast<const nn::Layer*>(&model)),
      options_(effective(std::move(options))),
      info_{.task = task,
            .normalization = options_.normalization,
            .class_names = options_.class_names,
            .table = options_.table} {
  validate(options_);
}

Program Trainer::program() {
  stop_requested_ = false;
  return {.recipe = *this,
          .model = model_,
          .layer = layer_,
          .loss = loss_,
          .options = options_,
          .info = info_,
          .last_run = last_run_,
          .stop_requested = stop_requested_};
}

FitResult Trainer::fit(const Dataset& train) {
  check_refit(options_, false);
  const SignalWatch watch(options_.handle_signals);
  RunData data = split_data(train, options_, info_.task);
  if (options_.repair && data.stratify) stratify(data, options_);  // all fits compare by the same rows
  const Program fitted = program();
  return refit(fitted, Rows(train), fit_and_repair(fitted, data));
}

FitResult Trainer::fit(const Dataset& train, const Dataset& validation) {
  check_refit(options_, true);
  const SignalWatch watch(options_.handle_signals);
  return fit_and_repair(program(), given_data(train, validation));
}

FitResult Trainer::resume(const std::filesystem::path& run_dir, const Dataset& train, const ResumeOptions& options) {
  check_refit(options_, false);
  const SignalWatch watch(options_.handle_signals);
  const Program resumed = program();
  return refit(resumed, Rows(train), Run(resumed, split_data(train, options_, info_.task)).resume(run_dir, options),
               &options);
}

FitResult Trainer::resume(const std::filesystem::path& run_dir, const Dataset& train, const Dataset& validation,
                          const ResumeOptions& options) {
  check_refit(options_, true);
  const SignalWatch watch(options_.handle_signals);
  return Run(program(), given_data(train, validation)).resume(run_dir, options);
}

LrFinderResult Trainer::find_lr(const Dataset& train) {
  return Run(program(), split_data(train, options_, info_.task)).find_lr({});
}

LrFinderResult Trainer::find_lr(const Dataset& train, const LrFinderOptions& options) {
  return Run(program(), split_data(train, options_, info_.task)).find_lr(options);
}

TryFixResult Trainer::try_fix(const Dataset& train, const std::vector<Fix>& fixes, const TryFixOptions& options) {
  RunData data = split_data(train, options_, info_.task);
  if (data.stratify) stratify(data, options_);
  return try_fixes(program(), data, fixes, options);
}

TryFixResult Trainer::try_fix(const Dataset& train, const Dataset& validation, const std::vector<Fix>& fixes,
                              const TryFixOptions& options) {
  return try_fixes(program(), given_data(train, validation), fixes, options);
}

void Trainer::save_model(const std::filesystem::path& path) const { train::save_model(model_, info_, path); }

void Trainer::load_model(const std::filesystem::path& path) {
  SavedModel saved = read_model(path);
  check_task("load_model", path, info_.task, saved.info.task);
  restore(model_, saved.weights.parameters, saved.weights.buffers);
  info_ = std::move(saved.info);
}

Evaluation Trainer::evaluate(const Dataset& data) {
  check_known(info_, data, "evaluate");
  const Loader loader = evaluation_loader(Rows(data), info_.normalization);
  return train::evaluate(*this, info_.task, options_.metrics, loader, loader.size(), {}, true);
}

Tensor Trainer::predict(const Dataset& data) {
  check_known(info_, data, "predict");
  const InferenceMode inference;
  const Loader loader = evaluation_loader(Rows(data), info_.normalization);
  Tensor all;
  Index done = 0;
  for (Index i = 0; i < loader.size(); ++i) {
    const Tensor inputs = loader.batch(i).inputs, outputs = predict_step(inputs);
    if (outputs.shape().rank() == 0 || outputs.shape()[0] != inputs.shape()[0])
      fail<ShapeError>("predict: want a row of outputs for each sample; got outputs ", outputs.shape(), ", inputs ",
                       inputs.shape());
    if (!all.defined()) all = Tensor(outputs.shape().with_first(data.size()));
    check_same_rows("predict", "outputs", all.shape(), outputs.shape());
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
  const Tensor predictions = (*layer_)(batch.inputs);
  const Tensor loss = info_.class_weights.empty() ? (*loss_)(predictions, batch.targets)
                                                  : loss_->weighted(predictions, batch.targets, info_.class_weights);
  return {.loss = loss, .predictions = predictions};
}

StepOutput Trainer::validation_step(const Batch& batch) { return training_step(batch); }

Tensor Trainer::predict_step(const Tensor& inputs) {
  if (!layer_) fail<OptionError>("Trainer: want a Layer, or a subclass that overrides predict_step; got neither");
  return (*layer_)(inputs);
}

std::unique_ptr<optim::Optimizer> Trainer::configure_optimizer() {
  const double decay = options_.weight_decay.value_or(0);
  auto groups = optim::decay_groups(model_.parameters(), decay);
  if (!options_.decay_exempt)
    for (optim::ParamGroup& group : groups) group.weight_decay = decay;
  if (options_.optimizer) return options_.optimizer(std::move(groups));
  return std::make_unique<optim::AdamW>(std::move(groups));
}

optim::Schedule Trainer::configure_schedule(double lr, std::int64_t planned_steps) {
  return default_schedule(options_, lr, planned_steps);
}

}  // namespace handrail::train
