#include <handrail/train/trainer.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/optim/adam.h>
#include <handrail/train/metrics.h>
#include <handrail/train/run.h>

namespace handrail::train {
namespace {

// What the modes for trying things out imply. A fast_dev_run is one step and one evaluation, nothing written.
TrainerOptions effective(TrainerOptions o) {
  // Learning a few batches by heart is not to be stopped because it does not generalise.
  if (o.overfit_batches) {
    o.patience = off;
    o.restore_best = false;
  }
  if (!o.fast_dev_run) return o;
  o.epochs = 1;
  o.limit_train_batches = o.limit_val_batches = 1;
  o.accumulate_grad_batches = 1;
  o.checkpoints = off;
  return o;
}

}  // namespace

Trainer::Trainer(nn::Layer& model, Loss loss, TrainerOptions options)
    : Trainer(model, std::move(options), loss.task()) {
  loss_ = std::move(loss);
}

Trainer::Trainer(nn::Module& model, TrainerOptions options, Task task)
    : model_(model),
      task_(task),
      layer_(dynamic_cast<const nn::Layer*>(&model)),
      options_(effective(std::move(options))),
      normalization_(options_.normalization) {
  validate(options_);
}

Trainer::~Trainer() = default;

RunData Trainer::split(const Dataset& train) const {
  if (!options_.validation_split)
    return {.train = train,
            .train_rows = all_rows(train),
            .validation = nullptr,
            .validation_rows = {},
            .validation_source = {}};
  if (train.size() < 2)
    fail<DataError>("fit: want at least 2 rows to split a validation set off; got ", train.size(),
                    "; give one, or set validation_split = off");
  const double fraction = *options_.validation_split;
  const bool classes = options_.stratify && task_ != Task::regression;
  auto [rows, held_out] = classes ? stratified_split_rows(train, fraction, options_.seed)
                                  : split_rows(train.size(), fraction, options_.seed);
  return {.train = train,
          .train_rows = std::move(rows),
          .validation = &train,
          .validation_rows = std::move(held_out),
          .validation_source = concat(fraction * 100, " % split off by seed", classes ? ", of every class" : "")};
}

RunData Trainer::given(const Dataset& train, const Dataset& validation) {
  return {.train = train,
          .train_rows = all_rows(train),
          .validation = &validation,
          .validation_rows = all_rows(validation),
          .validation_source = "given"};
}

FitResult Trainer::fit(const Dataset& train) { return Run(*this, split(train)).fit(); }

FitResult Trainer::fit(const Dataset& train, const Dataset& validation) {
  return Run(*this, given(train, validation)).fit();
}

FitResult Trainer::resume(const std::filesystem::path& run_dir, const Dataset& train, const ResumeOptions& options) {
  return Run(*this, split(train)).resume(run_dir, options);
}

FitResult Trainer::resume(const std::filesystem::path& run_dir, const Dataset& train, const Dataset& validation,
                          const ResumeOptions& options) {
  return Run(*this, given(train, validation)).resume(run_dir, options);
}

LrFinderResult Trainer::find_lr(const Dataset& train) { return Run(*this, split(train)).find_lr({}); }

LrFinderResult Trainer::find_lr(const Dataset& train, const LrFinderOptions& options) {
  return Run(*this, split(train)).find_lr(options);
}

Loader Trainer::eval_loader(const Dataset& data, std::vector<Index> rows) const {
  // At least 30 batches, when there are as many samples: their losses tell noise from improvement.
  constexpr Index groups = 30, most = 256;
  const Index batch_size = std::clamp<Index>(std::ssize(rows) / groups, 1, most);
  return {data, std::move(rows), {.batch_size = batch_size, .normalization = normalization_}};
}

Evaluation Trainer::evaluate(const Dataset& data) { return evaluate(eval_loader(data, all_rows(data))); }

Evaluation Trainer::evaluate(const Loader& loader, Index most_batches) {
  const InferenceMode inference;
  Evaluation total;
  Index correct = 0;
  bool counted = false;
  for (Index i = 0; i < std::min(most_batches, loader.size()); ++i) {
    const Batch batch = loader.batch(i);
    const StepOutput output = named_rows("evaluated", loader, i, [&] { return validation_step(batch); });
    const Index samples = batch.inputs.shape()[0];
    const auto loss = static_cast<double>(output.loss.item());
    total.loss += loss * static_cast<double>(samples);
    total.group_losses.push_back(loss);
    total.samples += samples;
    add_metrics(total.metrics, output.metrics, static_cast<double>(samples));
    if (output.predictions.defined())
      if (const auto right = count_correct(task_, output.predictions, batch.targets)) {
        correct += *right;
        counted = true;
      }
  }
  total.loss /= static_cast<double>(total.samples);
  for (MetricValue& metric : total.metrics) metric.value /= static_cast<double>(total.samples);
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
  const double decay = options_.weight_decay.value_or(0);
  auto groups = optim::decay_groups(model_.parameters(), decay);
  if (!options_.decay_exempt)
    for (optim::ParamGroup& group : groups) group.weight_decay = decay;
  if (options_.optimizer) return options_.optimizer(std::move(groups));
  return std::make_unique<optim::AdamW>(std::move(groups));
}

std::int64_t Trainer::warmup_steps(std::int64_t planned_steps) const {
  const double share = options_.warmup.value_or(0);
  return std::min<std::int64_t>(std::llround(share * static_cast<double>(planned_steps)), planned_steps - 1);
}

optim::Schedule Trainer::configure_schedule(double lr, std::int64_t planned_steps) {
  const optim::WarmupOptions plan{.peak = lr,
                                  .warmup_steps = warmup_steps(planned_steps),
                                  .total_steps = planned_steps,
                                  .floor = options_.decay == Decay::constant ? lr : 0};
  return options_.decay == Decay::cosine ? optim::warmup_cosine(plan) : optim::warmup_linear(plan);
}

}  // namespace handrail::train
