#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/optim/param_group.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that find schedules and lengths of a run that rarely train a model, before the first step.

namespace handrail::train {

/// How an optimizer applies weight decay.
struct Penalty {
  enum Kind { decoupled, in_gradient, scaled } kind = decoupled;  // scaled: in a gradient that is divided by its size
  double gain = 1;  // how many gradients an update adds up: 1 / (1 - momentum)
};

/// Reports "weight_decay_too_high" when the decay of a group is above 0.1, the highest rate times it is above 3e-3, and
/// the decay of the planned steps together would shrink a weight that no gradient holds up to less than 0.9.
/// A penalty that the rule scales is reported when it is above 0.1 and the rates of all steps together are above 0.02.
/// A penalty in the gradient is reported when it is above 0.05 and would shrink a weight that no gradient holds up to
/// less than 5 %: from two linear layers it takes every direction whose correlation with the outputs is below it
/// (Kunin et al. 2019).
/// rates: those of the planned steps, or a sample of them at equal distances. steps: planned.
std::optional<Anomaly> check_weight_decay(std::span<const optim::ParamGroup> groups, std::span<const double> rates,
                                          std::int64_t steps, Penalty penalty = {});

/// What check_schedule and check_steps know of a run.
struct PlannedSteps {
  std::int64_t steps;  // planned
  Index epochs;
  Index rows;  // of the training set
  double lr;   // the peak that the schedule was asked for
};
/// The rates of at most 1000 steps at equal distances, the first and the last among them.
std::vector<double> sampled_rates(const optim::Schedule& schedule, std::int64_t steps);

/// Reports one fault of a schedule:
///   "schedule_grows"       the rate is highest in the last tenth, above 1.2 lr, and half-way less than 0.3 of that, or
///                          less than 0.7 of it when the first rate is above 0.5 lr
///   "lr_too_low"           the rate is always below 0.1 lr, and is highest in the last tenth or falls to less than
///                          half at once and rises again
///   "schedule_ends_early"  the mean rate is below 10 % of the highest, or more than 30 % of the steps at the end have
///                          a rate below 0.1 % of it, or the highest rate is below 0.03 lr
///   "warmup_too_long"      90 % of the highest rate are first reached after half of the steps
/// Nothing is reported for fewer than 10 steps.
std::optional<Anomaly> check_schedule(std::span<const double> rates, const PlannedSteps& plan);

/// Reports "too_few_steps": fewer than 150 planned updates, in which networks rarely get far. It is a note for fewer
/// than 64 rows, where the rows are what is missing.
std::optional<Anomaly> check_steps(const PlannedSteps& plan);

/// The limits of a run that are meant for tests of a program.
struct Limits {
  Index batches;  // in an epoch without limit_train_batches
  std::optional<Index> train_batches = {}, validation_batches = {}, overfit_batches = {};
  bool fast_dev_run = false;
};
/// Reports "limited_run": a limit was left on, so that the run does not see all of its data. A limit of the validation
/// batches alone is a note.
std::optional<Anomaly> check_limits(const Limits& limits);

/// Reports "no_validation" when nothing is held out. It is a warning when the model has more weights than the training
/// set has rows, and sees each of them at least 20 times: then it can memorise them, and nobody would know.
Anomaly check_validation(const PlannedSteps& plan, Index weights);

}  // namespace handrail::train
