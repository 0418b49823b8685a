// The checks of the settings of a run, before its first step.
#include <algorithm>
#include <numeric>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/checks/internal/settings/norm_checks.h>
#include <handrail/train/files/text.h>
#include <handrail/train/run/internal/preflight/preflight.h>

namespace handrail::train {

void Preflight::check_limits() {
  const TrainerOptions& o = setup_.options;
  if (!o.checks.settings) return;
  auto anomaly = train::check_limits({.batches = (setup_.data.train.size() - 1) / o.batch_size + 1,
                                      .train_batches = o.limit_train_batches,
                                      .validation_batches = o.limit_val_batches,
                                      .overfit_batches = o.overfit_batches,
                                      .fast_dev_run = o.fast_dev_run});
  if (anomaly) desk_.warn(std::move(*anomaly));
}

void Preflight::check_settings() {
  const TrainerOptions& o = setup_.options;
  if (!o.checks.settings) return;
  const auto warn_one = [&](std::optional<Anomaly> anomaly) {
    if (anomaly) desk_.warn(std::move(*anomaly));
  };
  const optim::Optimizer& optimizer = *setup_.optimizer;
  if (trained_.trained < trained_.parameters)
    found_.push_back(
        {"trained", concat(trained_.trained, " of ", counted(trained_.parameters, "tensor"), ", ",
                           grouped(trained_.trained_weights), " of ", grouped(trained_.weights), " weights")});
  warn_one(check_trained(trained_));
  warn_one(check_group_rates(optimizer.groups()));
  for (Anomaly& anomaly : check_hyperparameters(optimizer)) desk_.warn(std::move(anomaly));
  if (o.lr) check_decay_and_clip();
  const PlannedSteps plan = planned_steps();
  warn_one(check_schedule(sampled_rates(setup_.schedule, plan.steps), plan));
  warn_one(check_batch_norms(setup_.model, plan.steps));
  const bool limited = o.limit_train_batches || o.overfit_batches;
  if (!setup_.validation && !limited) desk_.warn(check_validation(plan, trained_.trained_weights));
}

PlannedSteps Preflight::planned_steps() const {
  return {.steps = setup_.decisions.planned_steps,
          .epochs = setup_.options.epochs,
          .rows = setup_.data.train.size(),
          .lr = setup_.decisions.lr};
}

void Preflight::check_steps() {
  const TrainerOptions& o = setup_.options;
  if (!o.checks.settings || o.limit_train_batches || o.overfit_batches) return;
  if (auto anomaly = train::check_steps(planned_steps())) desk_.warn(std::move(*anomaly));
}

void Preflight::check_decay_and_clip() {
  const TrainerOptions& o = setup_.options;
  if (!o.checks.settings) return;
  const std::int64_t steps = setup_.decisions.planned_steps;
  const optim::Optimizer& optimizer = *setup_.optimizer;
  const std::vector<double> rates = sampled_rates(setup_.schedule, steps);
  auto decay = check_weight_decay(optimizer.groups(), rates, steps, penalty_of(optimizer));
  if (decay) desk_.warn(std::move(*decay));
  if (!o.clip_norm || rates.empty()) return;
  const double path =
      std::accumulate(rates.begin(), rates.end(), 0.0) * static_cast<double>(steps) / static_cast<double>(rates.size());
  if (auto clip = check_clip(*o.clip_norm, optimizer, setup_.parameters, path)) desk_.warn(std::move(*clip));
}

}  // namespace handrail::train
