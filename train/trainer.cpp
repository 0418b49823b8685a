#include <handrail/train/trainer.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include <handrail/core/error.h>
#include <handrail/optim/adam.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/data/internal/preview.h>
#include <handrail/train/data/split.h>
#include <handrail/train/run/internal/evaluator.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {
namespace {

// What the modes for trying things out imply. A fast_dev_run is one step and one evaluation, nothing written.
TrainerOptions effective(TrainerOptions o) {
  // Memorising a few batches is not to be stopped because it does not generalise.
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
      info_{.task = task, .normalization = options_.normalization, .class_names = options_.class_names} {
  validate(options_);
}

Trainer::~Trainer() = default;

// The sizes of the parts are final; Run::read_data chooses the rows of each once it knows their classes.
RunData Trainer::split(const Dataset& train) const {
  if (!options_.validation_split)
    return {.train = Rows(train), .validation = {}, .validation_source = {}};
  if (train.size() < 2)
    fail<DataError>("fit: want at least 2 rows to split off a validation set; got ", train.size(),
                    "; pass a validation set, or set validation_split = off");
  const double fraction = *options_.validation_split;
  const bool classes = options_.stratify && info_.task != Task::regression && !options_.fast_dev_run;
  auto [rows, held_out] = random_split(Rows(train), fraction, options_.seed);
  return {.train = std::move(rows),
          .validation = std::move(held_out),
          .validation_source =
              concat(fraction * 100, classes ? " % of every class" : " % of the data", ", split off by seed"),
          .stratify = classes};
}

void Trainer::stratify(RunData& data) const {
  const double fraction = *options_.validation_split;
  const Rows all(data.train.dataset());
  if (!data.train_preview)
    std::tie(data.train, data.validation) = stratified_split(all, fraction, options_.seed);
  else if (const auto targets = data.train_preview->targets(); !targets.empty())
    std::tie(data.train, data.validation) = stratified_split(all, targets, fraction, options_.seed);
  data.stratify = false;
}

RunData Trainer::given(const Dataset& train, const Dataset& validation) {
  return {.train = Rows(train), .validation = Rows(validation), .validation_source = "given"};
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

// Raw data means something else without the constants that the model was trained with.
void Trainer::check_known(const Dataset& data, const char* function) const {
  if (info_.normalization || !data.is_raw()) return;
  fail<OptionError>(function,
                    ": want the normalization that the model was trained with, as the data set is raw; got "
                    "none. fit() fits it and load_model() reads it; .normalization = Normalization{} is byte / 255");
}

Loader Trainer::eval_loader(Rows rows) const {
  // At least 30 batches, when there are as many samples: their losses tell noise from improvement.
  constexpr Index groups = 30, most = 256;
  const Index batch_size = std::clamp<Index>(rows.size() / groups, 1, most);
  return {std::move(rows), {.batch_size = batch_size, .normalization = info_.normalization}};
}

void Trainer::save_model(const std::filesystem::path& path) const { train::save_model(model_, info_, path); }

void Trainer::load_model(const std::filesystem::path& path) {
  SavedModel saved = read_model(path);
  if (saved.info.task != info_.task)
    fail<CheckpointError>("load_model: '", path.string(), "': want a model for ", to_string(info_.task),
                          ", as the loss of this trainer is; got one for ", to_string(saved.info.task));
  restore(model_, saved.weights.parameters, saved.weights.buffers);
  info_ = std::move(saved.info);
}

Evaluation Trainer::evaluate(const Dataset& data) {
  check_known(data, "evaluate");
  return evaluate(eval_loader(Rows(data)));
}

Evaluation Trainer::evaluate(const Loader& loader, Index most_batches, const std::function<void()>& poll) {
  const InferenceMode inference;
  Evaluator evaluator(info_.task, options_.metrics);
  for (Index i = 0; i < std::min(most_batches, loader.size()); ++i) {
    if (poll) poll();
    const Batch batch = loader.batch(i);
    named_rows("evaluated", loader, i, [&] { evaluator.add(validation_step(batch), batch); });
  }
  return evaluator.result();
}

Tensor Trainer::predict(const Dataset& data) {
  check_known(data, "predict");
  const InferenceMode inference;
  const Loader loader = eval_loader(Rows(data));
  Tensor all;
  Index done = 0;
  for (Index i = 0; i < loader.size(); ++i) {
    const Tensor inputs = loader.batch(i).inputs, outputs = predict_step(inputs);
    if (outputs.shape().rank() == 0 || outputs.shape()[0] != inputs.shape()[0])
      fail<ShapeError>("predict: want a row of outputs for each sample; got outputs ", outputs.shape(), ", inputs ",
                       inputs.shape());
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
