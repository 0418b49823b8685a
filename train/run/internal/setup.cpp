#include <handrail/train/run/internal/setup.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/finite.h>
#include <handrail/nn/standardize.h>
#include <handrail/train/data/split.h>
#include <handrail/train/files/text.h>
#include <handrail/train/lr/lr_scaling.h>

namespace handrail::train {

Setup::Setup(const Program& program, RunData rows)
    : Program(program), data(std::move(rows)), parameters(model.parameters()) {
  decisions.seed = options.seed;
  take_scales();
  make_loaders();  // they have the right sizes; Preflight::read_data makes them again
  decisions.planned_steps = options.epochs * steps_to_epoch();
  optimizer = recipe.configure_optimizer();
  if (!optimizer) fail<OptionError>("fit: want an optimizer from configure_optimizer; got null");
}

void Setup::require_trained() const {
  for (const optim::ParamGroup& group : optimizer->groups())
    for (const Parameter& p : group.params)
      if (p.tensor.requires_grad()) return;
  fail<OptionError>("fit: want a parameter to train; got ", counted(std::ssize(parameters), "parameter"),
                    " of which all are frozen; call unfreeze() of the model or of one of its layers");
}

Index Setup::batches() const { return std::min(loader->size(), options.limit_train_batches.value_or(loader->size())); }

Index Setup::steps_to_epoch() const { return (batches() - 1) / options.accumulate_grad_batches + 1; }

MicroBatches Setup::micro_batches(Index first, Index max_count) const {
  const Index count = std::min(max_count, batches() - first);
  Index samples = 0;
  for (Index i = first; i < first + count; ++i) samples += std::ssize(loader->rows(i));
  return {.first = first, .count = count, .samples = samples};
}

double Setup::given_lr() const {
  if (!options.lr) return optimizer->default_lr();
  return *options.lr * lr_scale(options.lr_scaling, *optimizer, samples_per_step());
}

void Setup::set_lr(double lr) {
  decisions.lr = lr;
  schedule = recipe.configure_schedule(lr, decisions.planned_steps);
  if (!schedule) fail<OptionError>("fit: want a schedule from configure_schedule; got an empty function");
}

Rows Setup::rows_to_train() const {
  if (!options.overfit_batches) return data.train;
  // The product of the two options might not fit an Index.
  const Index batches = *options.overfit_batches, full = data.train.size() / options.batch_size;
  return batches > full ? data.train : data.train.first(batches * options.batch_size);
}

void Setup::make_loaders() {
  LoaderOptions loading{.batch_size = options.batch_size,
                        .shuffle_seed = decisions.seed,
                        .drop_last = options.drop_last,
                        .normalization = info.normalization};
  if (options.overfit_batches) loading.shuffle_seed.reset();
  loader = std::make_unique<Loader>(rows_to_train(), loading);
  if (data.validation) validation = std::make_unique<Loader>(evaluation_loader(*data.validation, info.normalization));
}

void Setup::take_scales() {
  buffers = model.buffers();
  loss_unit = 1;
  if (!layer || !layer->output_scale() || !loss || !loss->is_distance()) return;
  const NoGrad values_only;
  const Tensor &inverse = layer->output_scale()->inverse, zeros = Tensor::zeros({1, inverse.size()});
  const auto unit = static_cast<double>((*loss)(zeros, div(Tensor::ones(zeros.shape()), inverse)).item());
  if (is_finite(unit) && unit > 0) loss_unit = unit;
}

double loss_of_mean(const Loss& loss, const Tensor& targets) {
  const NoGrad values_only;
  const Tensor means = Tensor::zeros(targets.shape()) + mean(targets, 0, true);
  return static_cast<double>(loss(means, targets).item());
}

PlannedRun Setup::planned_run() const {
  return {.steps = decisions.planned_steps,
          .samples = data.train.size(),
          .task = info.task,
          .plain_loss = plain_loss(),
          .default_lr = optimizer->default_lr()};
}

StepOutput Setup::training_output(const Batch& batch, Index number) const {
  if (before_batch) before_batch();
  StepOutput output = named_rows("training", *loader, number, [&] { return recipe.training_step(batch); });
  if (output.loss.size() != 1)
    fail<ShapeError>("training_step: want a loss of one element; got shape ", output.loss.shape());
  return output;
}

std::int64_t warmup_steps(const TrainerOptions& options, std::int64_t planned_steps) {
  const double share = options.warmup.value_or(0);
  return std::min<std::int64_t>(std::llround(share * static_cast<double>(planned_steps)), planned_steps - 1);
}

optim::Schedule default_schedule(const TrainerOptions& options, double lr, std::int64_t planned_steps) {
  const optim::WarmupOptions plan{.peak = lr,
                                  .warmup_steps = warmup_steps(options, planned_steps),
                                  .total_steps = planned_steps,
                                  .floor = options.decay == Decay::constant ? lr : 0};
  return options.decay == Decay::cosine ? optim::warmup_cosine(plan) : optim::warmup_linear(plan);
}

Loader evaluation_loader(Rows rows, const std::optional<Normalization>& constants) {
  constexpr Index min_batches = 30, max_batch_size = 256;
  const Index batch_size = std::clamp<Index>(rows.size() / min_batches, 1, max_batch_size);
  return {std::move(rows), {.batch_size = batch_size, .normalization = constants}};
}

RunData given_data(const Dataset& train, const Dataset& validation) {
  return {.train = Rows(train), .validation = Rows(validation), .validation_source = "given"};
}

RunData split_data(const Dataset& train, const TrainerOptions& options, Task task) {
  if (!options.validation_split) return {.train = Rows(train), .validation = {}, .validation_source = {}};
  if (train.size() < 2)
    fail<DataError>("fit: want at least 2 rows to split off a validation set; got ", train.size(),
                    "; pass a validation set, or set validation_split = off");
  const double fraction = *options.validation_split;
  const bool classes = options.stratify && task != Task::regression && !options.fast_dev_run;
  auto [rows, held_out] = random_split(Rows(train), fraction, options.seed);
  return {.train = std::move(rows),
          .validation = std::move(held_out),
          .validation_source =
              concat(fraction * 100, classes ? " % of every class" : " % of the data", ", split off by seed"),
          .stratify = classes};
}

void stratify(RunData& data, const TrainerOptions& options) {
  const double fraction = *options.validation_split;
  const Rows all(data.train.dataset());
  if (!data.train_preview)
    std::tie(data.train, data.validation) = stratified_split(all, fraction, options.seed);
  else if (const auto targets = data.train_preview->targets(); !targets.empty())
    std::tie(data.train, data.validation) = stratified_split(all, targets, fraction, options.seed);
  data.stratify = false;
}

void check_known(const ModelInfo& info, const Dataset& data, const char* function) {
  if (info.normalization || !data.is_raw()) return;
  fail<OptionError>(function,
                    ": want the normalization that the model was trained with, as the data set is raw; got "
                    "none. fit() fits it and load_model() reads it; .normalization = Normalization{} is byte / 255");
}

void check_task(const char* function, const std::filesystem::path& path, Task wanted, Task got) {
  if (wanted != got)
    fail<CheckpointError>(function, ": '", path.string(), "': want a model for ", to_string(wanted),
                          ", as the loss is; got one for ", to_string(got));
}

}  // namespace handrail::train
