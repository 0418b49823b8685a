// Preflight: the learning rate is found by an LrSweep over a rehearsal of the first steps.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>
#include <handrail/train/run/internal/preflight/preflight.h>
#include <handrail/train/run/internal/rehearsal.h>

namespace handrail::train {
namespace {

// Whether some target differs from the first one. Usually the first batch has one.
bool targets_vary(const Loader& loader, Stop& stop) {
  const Tensor first = loader.batch(0).targets.clone();
  const std::size_t width = first.span().size() / static_cast<std::size_t>(first.shape()[0]);
  for (Index i = 0; i < loader.size(); ++i) {
    stop.poll();
    const Tensor targets = loader.batch(i).targets;
    for (std::size_t j = 0; j < targets.span().size(); ++j)
      if (!(targets.span()[j] == first.span()[j % width])) return true;
  }
  return false;
}

// The rate when no sweep found one: the default of the optimizer, which harms no model that is trained already. Where
// noise hides the descent of a regression and the model is no better than the mean of the targets, so that there is all
// to learn, it is the usual rate for the length of the run.
double lr_without_sweep(const Setup& setup, const LrFinderResult& found) {
  constexpr double trained = 0.7;  // share of the loss of the mean
  const double default_lr = setup.optimizer->default_lr();
  if (found.noise == 0 || !setup.plain_loss() || setup.info.task != Task::regression) return default_lr;
  const DataPart train{.rows = setup.rows_to_train(), .normalization = setup.info.normalization};
  const Rows sample = sample_rows(train, 256);
  const Tensor targets = gather(train, sample.numbers()).targets;
  return found.initial_loss > trained * loss_of_mean(*setup.loss, targets) ? usual_lr(setup.planned_run()) : default_lr;
}

}  // namespace

// A short sweep may not show a fall of the loss that is small against its noise: then a full one is made. In a
// regression with few samples in a step, noise may hide it there too: then the loss of the same rows is measured at
// every step.
LrFinderResult Preflight::sweep() {
  constexpr Index few_samples = 32, fixed_rows = 128;
  LrFinderOptions options{.end = setup_.optimizer->max_lr()};
  const Index full = std::exchange(options.steps, sweep_steps(setup_.planned_run()));
  LrFinderResult found = sweep(options);
  const auto is_hidden = [&found] { return !found.suggestion && found.noise > 0; };
  if (is_hidden() && options.steps != full) {
    options.steps = full;
    found = sweep(options);
  }
  if (is_hidden() && setup_.info.task == Task::regression && setup_.samples_per_step() < few_samples)
    found = sweep(options, setup_.planned_run(), fixed_rows);
  return found;
}

// fixed_rows: how many rows the loss is measured on, evenly spaced; 0: those of each step. A sweep that would take
// longer than max_seconds is given up; its result is empty.
LrFinderResult Preflight::sweep(const LrFinderOptions& options, const PlannedRun& run, Index fixed_rows,
                                double max_seconds) {
  // With equal targets the loss would fall towards a constant model. A loss of the user's own may not use the targets,
  // and is not asked.
  if (setup_.plain_loss() && !targets_vary(*setup_.loader, stop_)) {
    LrFinderResult refused;
    refused.note = "all targets are the same, so there is nothing to learn";
    return refused;
  }
  LrSweep sweep(options);
  Rehearsal rehearsal(setup_, loop_.at, stop_);
  std::optional<Batch> fixed;
  if (fixed_rows > 0) {
    const DataPart train{.rows = setup_.rows_to_train(), .normalization = setup_.info.normalization};
    const Rows rows = sample_rows(train, fixed_rows);
    fixed = gather(train, rows.numbers());
  }
  const auto fixed_loss = [&] {
    const Tape tape(Mode::train, rehearsal.random());
    return static_cast<double>(setup_.recipe.training_step(*fixed).loss.item());
  };
  constexpr Index max_skipped = 50;
  Index skipped = 0;
  const double begun = Stop::now();
  while (true) {
    // The first steps say how long all will take.
    if (constexpr Index timed_steps = 4; sweep.steps_done() >= timed_steps) {
      const double share = static_cast<double>(sweep.steps_done()) / static_cast<double>(sweep.steps());
      if (Stop::now() - begun > share * max_seconds) return {};
    }
    stop_.poll("finding the learning rate", sweep.steps_done(), sweep.steps());
    const MicroBatches batches = rehearsal.next_batches();
    const double before_step = fixed ? fixed_loss() : 0;
    const StepStats stats = rehearsal.step(sweep.lr(), batches);
    double loss = is_finite(stats.loss) && !is_finite(stats.grad_norm) ? stats.grad_norm : stats.loss;
    if (fixed && is_finite(loss)) loss = before_step;
    // A batch with bad data says nothing about the rate. The limit ends a sweep in which all batches are bad.
    if (!is_finite(loss) && !are_finite(batches) && ++skipped < max_skipped) continue;
    if (!sweep.add(loss)) break;
    if (!stats.updated) {  // the update would not have been finite
      sweep.diverge();
      break;
    }
  }
  return sweep.result(run);
}

// Whether the inputs and targets of these batches, and their squares, are finite.
bool Preflight::are_finite(const MicroBatches& batches) const {
  const auto sound = [](const Tensor& values) {
    return std::ranges::all_of(values.span(), [](Scalar value) { return is_finite(value * value); });
  };
  for (Index i = batches.first; i <= batches.last(); ++i) {
    stop_.poll();
    const Batch batch = setup_.loader->batch(i);
    if (!sound(batch.inputs) || !sound(batch.targets)) return false;
  }
  return true;
}

// Makes a sweep of 200 steps, and one of 400 when noise hides the descent. All sweeps together take at most 50 ms, but
// one that has at most 5 % of the steps of the run is always made. Where 200 steps take too long, there are fewer. It
// judges a rate, so that what is usual has no say.
LrFinderResult Preflight::bounded_sweep() {
  PlannedRun run = setup_.planned_run();
  run.default_lr = 0;
  constexpr Index full = LrFinderOptions{}.steps, min_steps = 40;
  constexpr double max_seconds = 0.05;
  const Index affordable = setup_.decisions.planned_steps / 20;
  const double begun = Stop::now();
  const auto try_sweep = [&](Index steps) {
    const double left = max_seconds - (Stop::now() - begun);
    return sweep({.end = setup_.optimizer->max_lr(), .steps = steps}, run, 0,
                 steps <= affordable ? std::numeric_limits<double>::infinity() : left);
  };
  LrFinderResult found;
  for (const Index steps : {full, full / 2, std::clamp(affordable, min_steps, full)})
    if (found = try_sweep(steps); !found.curve.empty()) break;
  if (found.suggestion || found.noise == 0) return found;
  return try_sweep(2 * full);
}

// Rates of 4 to 27 times theirs are found for healthy runs of AdamW at 1e-3, and of up to 36 times for SGD at 1e-2. A
// few healthy runs are beyond the bounds: with norms, which make the size of the weights unimportant, and with deep
// models.
// A rate 30 times above or below the usual one was chosen so; for another one, data or model may be the reason that a
// sweep finds another. Where a sweep finds nothing, a rate that is 100 times off is named without it.
void Preflight::check_lr() {
  constexpr std::int64_t min_planned = 100;  // the best rate for fewer steps is hardly known
  constexpr double too_high = 0.1, unusual = 30, never_used = 100;
  const double too_low = setup_.optimizer->batch_scaling() == optim::BatchScaling::linear ? 50 : 30;
  const double lr = setup_.decisions.lr, default_lr = setup_.optimizer->default_lr();
  const auto found =
      setup_.decisions.planned_steps < min_planned ? std::optional<double>() : bounded_sweep().suggestion;
  const double ratio = found.value_or(default_lr) / lr;
  const bool high = ratio < 1;
  if (found ? ratio >= too_high && ratio <= too_low : ratio < never_used && ratio > 1 / never_used) return;
  constexpr double far = 5;  // times the bound: a rate beyond it costs points on any task
  const bool is_far = !found || ratio < too_high / far || ratio > far * too_low;
  const bool chosen = high ? lr > unusual * default_lr : unusual * lr < default_lr;
  desk_.warn({.name = high ? "lr_too_high" : "lr_too_low",
              .evidence = concat("lr is ", short_form(high ? 1 / ratio : ratio, 2), high ? " times" : " times below",
                                 " the rate of ", short_form(found.value_or(default_lr), 2),
                                 found ? std::string(" that a short sweep finds")
                                       : concat(" that is usual for ", setup_.optimizer->name())),
              .cause = concat("a learning rate that is too ", high ? "high" : "low"),
              .remedy = concat("set lr = ", short_form(*setup_.options.lr * ratio, 2), ", or leave it out"),
              .details = concat("the peak of the schedule is ", short_form(lr)),
              .rank = chosen ? Rank::setup : Rank::pace,
              .severity = is_far ? Severity::warning : Severity::note});
}

void Preflight::pick_lr() {
  const LrFinderResult found = sweep();
  if (found.suggestion) {
    setup_.set_lr(*found.suggestion);
  } else {
    const double lr = lr_without_sweep(setup_, found);
    setup_.set_lr(lr);
    desk_.warn({.name = "no_usable_lr",
                .evidence = concat("the LR finder found none; using ",
                                   lr == setup_.optimizer->default_lr() ? "the optimizer's default "
                                                                        : "what is usual for as many steps, ",
                                   short_form(lr)),
                .cause = "a loss that does not depend on the parameters, targets without a pattern, or a model that is "
                         "trained already",
                .remedy = "check the data and the loss, or set lr",
                .details = found.note,
                .rank = Rank::symptom,
                .severity = Severity::note});
  }
  desk_.result.lr_finder = found;
}

}  // namespace handrail::train
