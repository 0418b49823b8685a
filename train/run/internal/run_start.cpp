// What comes before the first step: the rows that are trained on, and the choice of the rate.
#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/lr/lr_scaling.h>
#include <handrail/train/data/internal/preview.h>
#include <handrail/train/run/internal/rehearsal.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

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

// All that comes before the first step. The summary is the first sign of life; a signal ends it at any point, and then
// nothing is left behind.
void Trainer::Run::prepare() {
  start_event();
  trainer_.on_fit_start();
  read_data();
  loader_->start_epoch(1);
  poll();
  check_monitor();
  if (!options_.fast_dev_run) {
    poll();
    check_data();
    poll();
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
  LrFinderOptions options{.end = optimizer_->max_lr()};
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
    poll("finding the learning rate", sweep.steps_done(), sweep.steps());
    const double loss = rehearsal.step(sweep.lr(), batch, count);
    const bool poisoned = !is_finite(loss) && !finite_batches(batch, count);
    batch += count;
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

}  // namespace handrail::train
