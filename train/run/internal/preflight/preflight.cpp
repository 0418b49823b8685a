#include <handrail/train/run/internal/preflight/preflight.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/denormals.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/data_checks.h>
#include <handrail/train/checks/internal/label_checks.h>
#include <handrail/train/checks/internal/row_checks.h>
#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/files/text.h>
#include <handrail/train/run/internal/evaluate.h>
#include <handrail/train/run/internal/preflight/first_batch.h>
#include <handrail/train/run/internal/preflight/standardise.h>
#include <handrail/train/run/internal/rehearsal.h>

namespace handrail::train {
namespace {

// Whether the targets of a regression are so large that outputs, which begin near 0, must move far to reach them.
bool has_large_targets(const Setup& setup) {
  constexpr double max_rms = 10;
  return setup.info.task == Task::regression && root_mean_square(setup.loader->batch(0).targets) > max_rms;
}

// The weights of the classes of the training rows in a balanced loss.
std::vector<double> class_weights(const Setup& setup) {
  if (!setup.loss || !setup.loss->plain() || setup.info.task == Task::regression)
    fail<OptionError>("fit: balance_classes wants cross_entropy or binary_cross_entropy_with_logits; got another loss");
  const DataPart train{.rows = setup.data.train, .normalization = setup.info.normalization};
  const std::vector<Index> counts = count_labels(train, setup.info.task);
  if (counts.empty()) fail<OptionError>("fit: balance_classes wants one label a row; got several");
  return balanced_weights(counts);
}

// Reads the data set itself, not what was kept of one that is not in memory.
void keep_some_rows(const Setup& setup, DataReview& review) {
  constexpr Index kept = 32;
  const DataPart part{.rows = setup.data.train, .normalization = setup.info.normalization};
  const Rows some = sample_rows(part, kept);
  review.kept_rows.assign(some.numbers().begin(), some.numbers().end());
  review.kept = gather(part, review.kept_rows);
}

}  // namespace

void Preflight::check_floating_point() {
  const bool rounds = fp_mode::rounds_to_nearest(), flushes = fp_mode::flushes_denormals();
  if (rounds && !flushes) return;
  desk_.warn({.name = "floating_point_mode",
              .evidence = concat(rounds ? "" : "results are not rounded to nearest", !rounds && flushes ? ", and " : "",
                                 flushes ? "denormal numbers are flushed to zero" : ""),
              .cause = "another library, or code linked with -ffast-math, changed the mode of the processor",
              .remedy = "call fesetenv(FE_DFL_ENV) for other code; this run sets its own mode"});
}

void Preflight::read_data(bool for_checks) {
  const CheckOptions& on = setup_.options.checks;
  const bool looks = for_checks && !setup_.options.fast_dev_run &&
                     (setup_.options.standardize || on.finite || on.input_scale || on.labels || on.columns ||
                      on.leaks || on.targets || on.rows || on.drift || on.duplicates);
  RunData& data = setup_.data;
  const bool same_set = data.validation && &data.validation->dataset() == &data.train.dataset();
  if (looks || data.stratify) data.train_preview = preview(data.train.dataset(), "reading the data", data.stratify);
  if (looks && data.validation && !same_set)
    data.validation_preview = preview(data.validation->dataset(), "reading the validation data", false);
  if (data.stratify) stratify(data, setup_.options);
  if (same_set) data.validation_preview = data.train_preview;
  const Dataset& train = data.train.dataset();
  ModelInfo& info = setup_.info;
  info.input_shape = train.input_shape();
  info.target_shape = train.target_shape();
  const auto& given = setup_.options.normalization;
  info.normalization = given ? given : train.fit_normalization(data.train.numbers());
  if (data.validation) check_known(info, data.validation->dataset(), "fit");
  info.class_weights = setup_.options.balance_classes ? class_weights(setup_) : std::vector<double>();
  data.all_train = data.train;
  data.train = setup_.rows_to_train();
  setup_.make_loaders();
}

std::shared_ptr<const Preview> Preflight::preview(const Dataset& data, const char* what, bool all_targets) {
  if (data.in_memory()) return nullptr;
  return std::make_shared<Preview>(data, all_targets, [&](Index done, Index total) { stop_.poll(what, done, total); });
}

void Preflight::check_data() {
  const CheckOptions& on = setup_.options.checks;
  const RunData& data = setup_.data;
  // Of a set that does not fit in memory, some rows were kept: those are checked.
  const auto seen = [&](const Rows& rows, const Preview* preview, const char* name) {
    return DataPart{.rows = preview ? preview->kept(rows) : rows,
                    .normalization = setup_.info.normalization,
                    .name = name,
                    .progress = [this](Index done, Index total) { stop_.poll("checking the data", done, total); }};
  };
  const Rows& rows = *data.all_train;
  const DataPart train = seen(rows, data.train_preview.get(), "training");
  std::optional<DataPart> validation;
  if (data.validation) validation = seen(*data.validation, data.validation_preview.get(), "validation");
  if (validation && validation->rows.empty()) validation.reset();
  if (train.rows.size() < rows.size())
    found_.push_back({"checked samples", concat(grouped(train.rows.size()), " of ", grouped(rows.size()),
                                                ", evenly spaced: no more fit in memory")});
  if (on.finite) {
    check_finite(train);
    if (validation) check_finite(*validation);
  }
  const auto warn_all = [&](auto&& anomalies) {
    for (auto& anomaly : anomalies) desk_.warn(std::move(anomaly));
  };
  const auto warn_one = [&](std::optional<Anomaly> anomaly) {
    if (anomaly) desk_.warn(std::move(*anomaly));
  };
  // Labels first, because other checks count them. What explains others is reported before them.
  std::vector<Anomaly> odd_counts;
  if (on.labels) {
    const auto known = classes();
    const auto names = std::ssize(setup_.options.class_names);
    if (known && names > 0 && names != *known)
      fail<OptionError>("fit: want a name for each of the ", *known, " outputs; got ", names, " class_names");
    odd_counts = check_class_counts(count_labels(train, setup_.info.task, known));
    if (validation) count_labels(*validation, setup_.info.task, known);
  }
  review_ = review_data(train, validation ? &*validation : nullptr, on, setup_.info.task, setup_.plain_loss());
  warn_all(std::exchange(review_.anomalies, {}));
  if (on.rows) {
    check_reading(train);
    keep_some_rows(setup_, review_);
  }
  std::vector<Anomaly> raw = standardise(setup_, loop_.at, stop_, train);
  if (on.input_scale) warn_all(std::move(raw));
  std::ranges::move(describe_scales(setup_.model), std::back_inserter(found_));
  warn_all(odd_counts);
  if (on.duplicates && validation) warn_one(check_duplicates(train, *validation));
}

// Reads the first batches as training will do, of a data set that may do more than copy memory. kept: the training rows
// that were read before.
void Preflight::check_reading(const DataPart& kept) {
  constexpr Index max_batches = 8, max_samples = 256;
  if (setup_.data.train.dataset().in_memory() || setup_.options.overfit_batches) return;
  std::vector<Batch> batches;
  for (Index i = 0, samples = 0; i < std::min(max_batches, setup_.loader->size()); ++i) {
    samples += std::ssize(setup_.loader->rows(i));
    if (i > 0 && samples > max_samples) break;
    stop_.poll();
    batches.push_back(setup_.loader->batch(i));
  }
  const auto known = kept.rows.numbers(), first = setup_.loader->rows(0);
  const bool all_kept = std::ranges::all_of(first, [&](Index row) { return std::ranges::binary_search(known, row); });
  auto found = all_kept ? check_stability(gather(kept, first), batches.front()) : std::nullopt;
  if (!found) found = check_order(read_table(kept), batches, setup_.info.task);
  if (found) desk_.warn(std::move(*found));
}

// The number of classes, from the shape of the predictions; nothing when it is not known, as in a subclass that gives
// its layer other inputs than those of the batch.
std::optional<Index> Preflight::classes() const {
  if (!setup_.layer || setup_.info.task != Task::multiclass) return std::nullopt;
  const InferenceMode inference;
  try {
    const Tensor predictions = setup_.recipe.predict_step(setup_.loader->batch(0).inputs);
    return predictions.shape().rank() == 2 ? std::optional(predictions.shape()[1]) : std::nullopt;
  } catch (const ShapeError&) {
    return std::nullopt;
  }
}

void Preflight::check_monitor() {
  const TrainerOptions& options = setup_.options;
  const bool unmeasured = options.metrics.empty() || !setup_.validation;
  if (unmeasured && (options.monitor == "train_loss" || options.monitor == "val_loss")) return;
  Rehearsal rehearsal(setup_, loop_.at, stop_);
  Position at = loop_.at;
  {
    const Tape tape(Mode::train, rehearsal.random());
    at.epoch_metrics = rehearsal.first_output().metrics;
    at.epoch_samples = 1;
  }
  Evaluation first;
  if (setup_.validation) first = evaluate(setup_.recipe, setup_.info.task, options.metrics, *setup_.validation, 1, {});
  loop_.evaluator.monitored(first, at);
}

void Preflight::check_model() {
  FirstBatchFindings first = check_first_batch(setup_, loop_.at, stop_, classes());
  for (Anomaly& anomaly : first.anomalies) desk_.warn(std::move(anomaly));
  std::ranges::move(first.summary, std::back_inserter(found_));
  stop_.poll();
  if (setup_.options.checks.overfit_batch) check_overfit_batch();
}

// Checks that a few steps on one batch lower its loss. The rate that this takes depends on the optimizer, the depth of
// the model and the scale of the targets, so that higher ones are tried before the model is blamed.
void Preflight::check_overfit_batch() {
  constexpr int max_steps = 50;
  constexpr double min_fall = 0.05;  // of the first loss
  double first = 0, lowest = 0;
  for (const double factor : {3, 30, 300}) {
    Rehearsal rehearsal(setup_, loop_.at, stop_);
    stop_.poll();
    const double lr = factor * setup_.optimizer->default_lr();
    const MicroBatches batch = setup_.micro_batches(0, 1);
    const double start = rehearsal.step(lr, batch).loss;
    if (factor == 3) first = lowest = start;
    for (int step = 1; step < max_steps; ++step) {
      stop_.poll("checking that one batch can be learnt", step, max_steps);
      const StepStats stats = rehearsal.step(lr, batch);
      if (!is_finite(stats.loss) || !is_finite(stats.grad_norm)) {
        if (factor == 3) return;  // the guards report it
        break;
      }
      if (stats.loss < first - min_fall * std::abs(first)) return;
      lowest = std::min(lowest, stats.loss);
    }
  }
  const bool large = has_large_targets(setup_);
  desk_.warn({.name = "overfit_batch",
              .evidence = concat(max_steps, " steps at 3 rates lowered the loss of a batch only from ",
                                 short_form(first, 3), " to ", short_form(lowest, 3)),
              .cause = large ? "targets that are far from the outputs of the model, which begin near 0"
                             : "gradients that do not reach the weights, or dead units",
              .remedy = large ? "standardise the targets" : "find a model that can memorise one batch first"});
}

void Preflight::measure_start() {
  loop_.good.measure_start([this](Index done, Index total) { stop_.poll("measuring the first losses", done, total); });
}

}  // namespace handrail::train
