#include <handrail/train/checks/internal/settings/settings_checks.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::int64_t max_rates = 1000;         // of a schedule
constexpr std::int64_t min_planned_steps = 150;  // updates that a network needs to get anywhere

std::string percent(double part, double whole) { return concat(short_form(100 * part / whole, 3), " %"); }

double highest_of(std::span<const double> rates) { return *std::ranges::max_element(rates); }

double mean_of(std::span<const double> rates) {
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum / static_cast<double>(rates.size());
}

// The step that a sampled rate belongs to.
std::int64_t step_of(std::size_t sample, std::size_t samples, std::int64_t steps) {
  return 1 + static_cast<std::int64_t>(sample) * (steps - 1) /
                 static_cast<std::int64_t>(std::max<std::size_t>(1, samples - 1));
}

// How often the rate falls to less than half at once and rises again after it.
Index restarts_of(std::span<const double> rates) {
  Index restarts = 0;
  for (std::size_t i = 1; i + 1 < rates.size(); ++i)
    restarts += rates[i] < 0.5 * rates[i - 1] && rates[i + 1] > rates[i];
  return restarts;
}

}  // namespace

std::vector<double> sampled_rates(const optim::Schedule& schedule, std::int64_t steps) {
  const std::int64_t samples = std::min(steps, max_rates);
  std::vector<double> rates;
  for (std::int64_t i = 0; i < samples; ++i)
    rates.push_back(schedule(step_of(static_cast<std::size_t>(i), static_cast<std::size_t>(samples), steps)));
  return rates;
}

std::optional<Anomaly> check_weight_decay(std::span<const optim::ParamGroup> groups, std::span<const double> rates,
                                          std::int64_t steps, Penalty penalty) {
  constexpr double max_step = 3e-3, min_total = 0.105, usual = 0.1, min_path = 0.02;  // exp(-0.105) is 0.9
  constexpr double usual_in_gradient = 0.05, min_total_in_gradient = 3;               // exp(-3) is 0.05
  const optim::ParamGroup* worst = nullptr;
  for (const optim::ParamGroup& group : groups)
    if (!worst || group.lr_scale * group.weight_decay > worst->lr_scale * worst->weight_decay) worst = &group;
  if (!worst || rates.empty()) return std::nullopt;
  const double pull = worst->lr_scale * worst->weight_decay, step = pull * highest_of(rates),
               total = pull * mean_of(rates) * static_cast<double>(steps);
  if (penalty.kind == Penalty::in_gradient && worst->weight_decay > usual_in_gradient &&
      penalty.gain * total > min_total_in_gradient)
    return Anomaly{.name = "weight_decay_too_high",
                   .where = concat("group '", worst->name, "'"),
                   .evidence = concat("a penalty of ", short_form(worst->weight_decay), " is part of the gradient"),
                   .cause = "an L2 penalty that is larger than what the gradients of the mean loss teach the weights",
                   .remedy = "set weight_decay = 1e-4",
                   .details = concat("a weight that the loss does not hold up ends at ",
                                     short_form(std::exp(-penalty.gain * total), 2),
                                     " of its value; usual for such a rule is at most 1e-3")};
  if (worst->weight_decay <= usual) return std::nullopt;
  if (penalty.kind == Penalty::scaled && mean_of(rates) * static_cast<double>(steps) > min_path)
    return Anomaly{.name = "weight_decay_too_high",
                   .where = concat("group '", worst->name, "'"),
                   .evidence = concat("a penalty of ", short_form(worst->weight_decay), " is part of the gradient"),
                   .cause =
                       "the rule divides the gradient by its size: once the penalty is the larger part, the "
                       "weights shrink at full rate, whatever the loss says",
                   .remedy = "set weight_decay = 1e-4, or use AdamW",
                   .details = "usual penalties of such a rule are at most 1e-3"};
  if (step <= max_step || total < min_total) return std::nullopt;
  return Anomaly{.name = "weight_decay_too_high",
                 .where = concat("group '", worst->name, "'"),
                 .evidence = concat("decay ", short_form(worst->weight_decay), " takes ", short_form(100 * step, 3),
                                    " % off each weight in a step"),
                 .cause = "a decay of weights that is stronger than what the gradients teach them",
                 .remedy = "set weight_decay = 0.01",
                 .details = concat("a weight that no gradient holds up ends at ", short_form(std::exp(-total), 3),
                                   " of its value; usual is a rate times decay of 1e-5")};
}

std::optional<Anomaly> check_schedule(std::span<const double> rates, const PlannedSteps& plan) {
  constexpr std::size_t min_rates = 10;
  if (rates.size() < min_rates || !std::ranges::all_of(rates, [](double rate) { return std::isfinite(rate); }))
    return std::nullopt;
  const double highest = highest_of(rates);
  if (!(highest > 0)) return std::nullopt;
  const std::size_t n = rates.size();
  const auto peak = static_cast<std::size_t>(std::ranges::max_element(rates) - rates.begin());
  const auto at = [&](std::size_t sample) { return step_of(sample, n, plan.steps); };
  Anomaly anomaly{.name = {}, .where = "lr schedule", .evidence = {}, .cause = {}, .remedy = {}};
  const bool ends_high = peak >= n - n / 10 - 1;
  const double half_way = rates[n / 2] / highest;
  if (ends_high && highest > 1.2 * plan.lr && half_way < (rates[0] > 0.5 * plan.lr ? 0.7 : 0.3)) {
    anomaly.name = "schedule_grows";
    anomaly.evidence =
        concat("lr grows from ", short_form(rates[0], 3), " to ", short_form(highest, 3), " at step ", at(peak));
    anomaly.cause = "a factor above 1, or a wrong sign in the exponent: most schedules fall";
    anomaly.remedy = "let lr fall after its warmup";
    return anomaly;
  }
  const Index restarts = restarts_of(rates);
  if ((ends_high || restarts > 0) && highest < 0.1 * plan.lr) {
    const auto changes = std::ranges::count_if(
        rates, [before = 0.0](double rate) mutable { return std::exchange(before, rate) != rate; });
    anomaly.name = "lr_too_low";
    anomaly.evidence =
        concat("in the whole run lr rises to ", short_form(highest, 3), ", which is ", percent(highest, plan.lr),
               " of lr = ", short_form(plan.lr, 3), restarts > 0 ? "; it falls back and rises again" : "");
    anomaly.cause = restarts > 0 ? "a schedule that begins again before its warmup has ended, such as one that is "
                                   "given the number of the batch in its epoch"
                    : changes <= plan.epochs + 1 && plan.steps > 2 * plan.epochs
                        ? "a schedule that counts steps is given the number of the epoch, and stays in its warmup"
                        : "a warmup that is far longer than the run";
    anomaly.remedy = restarts > 0 ? "give the schedule the step of the whole run"
                                  : "give the schedule the step, and let the warmup take 5 % of all steps";
    return anomaly;
  }
  if (highest < 0.03 * plan.lr) {
    anomaly.name = "schedule_ends_early";
    anomaly.evidence = concat("the highest rate is ", short_form(highest, 3), ", which is ", percent(highest, plan.lr),
                              " of lr = ", short_form(plan.lr, 3));
    anomaly.cause = "a schedule that begins where it should end, such as one with the step number of an earlier run";
    anomaly.remedy = "let the schedule begin at step 0";
    return anomaly;
  }
  std::size_t last = n;  // the first sample from which the rate is 0 to the end
  while (last > 0 && rates[last - 1] < 1e-3 * highest) --last;
  const double mean = mean_of(rates), unused = static_cast<double>(n - last) / static_cast<double>(n);
  if (mean < 0.1 * highest || unused > 0.3) {
    std::size_t low = peak;  // the first sample after the peak with less than 5 % of it
    while (low < n && rates[low] >= 0.05 * highest) ++low;
    const std::int64_t end = low < n ? at(low) : plan.steps;
    const bool by_epochs = end <= 2 * plan.epochs + 10 && plan.steps > 4 * end;
    anomaly.name = "schedule_ends_early";
    anomaly.evidence = concat("lr is below 5 % of its peak from step ", end, " of ", plan.steps, " on");
    anomaly.cause = by_epochs ? "a schedule that counts epochs is given steps"
                              : "a decay that is meant for each epoch is made at each step, or its end is too early";
    anomaly.remedy = "spread it over all planned_steps";
    anomaly.details = concat("the mean rate is ", percent(mean, highest), " of the highest; the run has ",
                             counted(plan.epochs, "epoch"));
    return anomaly;
  }
  std::size_t warm = 0;
  while (rates[warm] < 0.9 * highest) ++warm;
  if (2 * warm > n) {
    anomaly.name = "warmup_too_long";
    anomaly.evidence = concat("lr comes near its peak only at step ", at(warm), " of ", plan.steps);
    anomaly.cause = "a warmup that was planned for a longer run, or that counts batches instead of steps";
    anomaly.remedy = "warm up for 5 % of the steps";
    return anomaly;
  }
  return std::nullopt;
}

std::optional<Anomaly> check_steps(const PlannedSteps& plan) {
  if (plan.steps >= min_planned_steps) return std::nullopt;
  constexpr Index few_rows = 64;
  const std::int64_t per_epoch = plan.steps / std::max<Index>(1, plan.epochs);
  return Anomaly{.name = "too_few_steps",
                 .evidence = concat("only ", counted(plan.steps, "update"), " planned: ", counted(plan.epochs, "epoch"),
                                    " of ", counted(per_epoch, "step"), ", ",
                                    counted(plan.rows / std::max<std::int64_t>(1, per_epoch), "row"), " each"),
                 .cause =
                     "a batch that is too large for the data, gradients accumulated over too many batches, or too "
                     "few epochs",
                 .remedy = "use smaller batches or more epochs",
                 .severity = plan.rows < few_rows ? Severity::note : Severity::warning};
}

std::optional<Anomaly> check_limits(const Limits& limits) {
  Anomaly anomaly{.name = "limited_run",
                  .evidence = {},
                  .cause = "an option for a quick test of the program was left on",
                  .remedy = {}};
  const auto set = [&](const char* option, std::string evidence) {
    anomaly.where = option;
    anomaly.evidence = std::move(evidence);
    anomaly.remedy = concat("remove ", option, " to train in earnest");
  };
  if (limits.fast_dev_run)
    set("fast_dev_run", "the run makes one step and evaluates one batch");
  else if (limits.overfit_batches && *limits.overfit_batches <= limits.batches)
    set("overfit_batches",
        concat("trains on the first ", counted(*limits.overfit_batches, "batch", "batches"), " only"));
  else if (limits.train_batches && *limits.train_batches < limits.batches)
    set("limit_train_batches",
        concat("an epoch has ", *limits.train_batches, " of ", counted(limits.batches, "batch", "batches")));
  else if (limits.validation_batches)
    set("limit_val_batches",
        concat("an evaluation has at most ", counted(*limits.validation_batches, "batch", "batches")));
  else
    return std::nullopt;
  const bool trains_less = anomaly.where != "limit_val_batches";
  anomaly.severity = trains_less ? Severity::warning : Severity::note;
  return anomaly;
}

Anomaly check_validation(const PlannedSteps& plan, Index weights) {
  constexpr Index many_epochs = 20;
  const bool may_memorise = weights > plan.rows && plan.epochs >= many_epochs;
  return {.name = "no_validation",
          .evidence = concat("no rows are held out of ", plan.rows, "; the model has ", counted(weights, "weight")),
          .cause =
              "without a validation set nothing shows whether the model only memorises its training rows, and "
              "neither early stopping nor the best weights can help",
          .remedy = "set validation_split = 0.1",
          .severity = may_memorise ? Severity::warning : Severity::note};
}

}  // namespace handrail::train
