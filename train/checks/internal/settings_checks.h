#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/optim/optimizer.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that find settings of the optimizer, the learning rate and the run that rarely train a model, before
// the first step.

namespace handrail::train {

/// Which parameters of the model an optimizer can move.
struct Trained {
  Index parameters = 0, weights = 0;       // of the model, and their elements
  Index trained = 0, trained_weights = 0;  // that require a gradient and are in a group with lr_scale > 0
  std::vector<std::string> frozen = {};    // that require no gradient, or have lr_scale 0
  Index frozen_weights = 0;
  std::vector<std::string> left_out = {};  // that require a gradient and are in no group
  Index left_out_weights = 0;
  Index foreign = 0;  // tensors in the groups that are no parameters of the model
};
Trained trained_parameters(const std::vector<Parameter>& model, std::span<const optim::ParamGroup> groups);

/// Reports "not_trained": parameters that the optimizer does not move. Those of another model in its groups, and those
/// that were left out, are a warning: nobody wants them. Frozen parameters are what fine-tuning wants: they are a note,
/// and a warning when they are most weights of a model whose weights were never written to since they were made, so
/// that nothing was loaded and what is frozen is random.
std::optional<Anomaly> check_trained(const Trained& trained, bool loaded);
/// Whether the frozen parameters were written to since they were made, as loading and training do.
bool are_loaded(const std::vector<Parameter>& model);

/// Reports the numbers of a rule that are outside of what is used:
///   "momentum_too_high"  momentum > 0.99: an update averages over more than 100 steps
///   "adam_betas"         beta1 > beta2, beta1 > 0.99 or beta2 < 0.9 (Kingma and Ba 2015 need beta1 < sqrt(beta2))
///   "adam_eps"           eps > 1e-4: where gradients are smaller than eps, the update is no longer scaled by them
std::vector<Anomaly> check_hyperparameters(const optim::Optimizer& optimizer);

/// Reports "weight_decay_too_high" when the highest rate of a group times its decay is above 3e-3 and the decay of the
/// planned steps together would shrink a weight that no gradient holds up to less than 0.9. A decay above 0.1 that does
/// so was chosen, and is a warning; below it is a note.
/// rates: those of the planned steps, or a sample of them at equal distances. steps: planned.
std::optional<Anomaly> check_weight_decay(std::span<const optim::ParamGroup> groups, std::span<const double> rates,
                                          std::int64_t steps);

/// Reports "clip_too_small" for a clip_norm below 1e-3. A rule that divides by the size of the gradient, as Adam does,
/// is hardly changed by clipping: for it this is a note, unless what is left of a gradient is about as small as eps.
std::optional<Anomaly> check_clip(double clip_norm, const optim::Optimizer& optimizer, Index weights);

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
///   "schedule_grows"       the rate is highest in the last tenth, above 1.2 lr, and half-way less than 0.3 of that
///   "schedule_ends_early"  the mean rate is below 10 % of the highest, or more than 30 % of the steps at the end have
///   a
///                          rate below 0.1 % of it
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
