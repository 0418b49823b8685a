#include <handrail/train/checks/internal/settings_checks.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::int64_t max_rates = 1000;         // of a schedule
constexpr std::int64_t min_planned_steps = 150;  // updates that a network needs to get anywhere

std::string percent(double part, double whole) { return concat(short_form(100 * part / whole, 3), " %"); }

// "'a', 'b' and 3 more".
std::string some_names(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 2;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) text += concat(i == 0 ? "'" : ", '", names[i], "'");
  if (names.size() > shown) text += concat(" and ", names.size() - shown, " more");
  return text;
}

std::optional<double> value_of(const optim::Optimizer& optimizer, std::string_view name) {
  for (const optim::Hyperparameter& number : optimizer.hyperparameters())
    if (number.name == name) return number.value;
  return std::nullopt;
}

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

}  // namespace

Trained trained_parameters(const std::vector<Parameter>& model, std::span<const optim::ParamGroup> groups) {
  Trained result;
  for (const Parameter& p : model) {
    const Index size = p.tensor.size();
    ++result.parameters;
    result.weights += size;
    const optim::ParamGroup* group = nullptr;
    for (const optim::ParamGroup& g : groups)
      if (std::ranges::any_of(g.params, [&](const Parameter& other) { return other.tensor.is_same(p.tensor); }))
        group = &g;
    if (!p.tensor.requires_grad() || (group && group->lr_scale == 0)) {
      result.frozen.push_back(p.name);
      result.frozen_weights += size;
    } else if (!group) {
      result.left_out.push_back(p.name);
      result.left_out_weights += size;
    } else {
      ++result.trained;
      result.trained_weights += size;
    }
  }
  for (const optim::ParamGroup& group : groups)
    for (const Parameter& other : group.params)
      result.foreign += std::ranges::none_of(model, [&](const Parameter& p) { return p.tensor.is_same(other.tensor); });
  return result;
}

bool are_loaded(const std::vector<Parameter>& model) {
  constexpr std::uint32_t initial_writes = 1;  // by an initialiser
  return std::ranges::none_of(model, [](const Parameter& p) {
    return p.role == Role::weight && !p.tensor.requires_grad() && p.tensor.version() <= initial_writes;
  });
}

std::optional<Anomaly> check_trained(const Trained& t, bool loaded) {
  Anomaly anomaly{.name = "not_trained",
                  .evidence = {},
                  .cause = {},
                  .remedy = {},
                  .details = concat(t.trained, " of ", counted(t.parameters, "parameter"), " are trained, ",
                                    percent(static_cast<double>(t.trained_weights), static_cast<double>(t.weights)),
                                    " of all weights")};
  if (t.foreign > 0) {
    anomaly.where = "optimizer";
    anomaly.evidence = concat(t.foreign, " of its tensors are not in the model that is trained");
    anomaly.cause = "configure_optimizer was given the parameters of another model, or of a copy of this one";
    anomaly.remedy = "make it from parameters() of this model";
  } else if (!t.left_out.empty()) {
    anomaly.where = some_names(t.left_out);
    anomaly.evidence = concat(percent(static_cast<double>(t.left_out_weights), static_cast<double>(t.weights)),
                              " of all weights are not in the optimizer");
    anomaly.cause = "a list of parameters that was made by hand, or before the last layers were added";
    anomaly.remedy = "give it all parameters()";
  } else if (!t.frozen.empty()) {
    const bool most = 2 * t.frozen_weights > t.weights;
    anomaly.where = some_names(t.frozen);
    anomaly.evidence =
        concat("frozen: ", percent(static_cast<double>(t.frozen_weights), static_cast<double>(t.weights)),
               " of all weights", loaded ? "" : ", never loaded or trained");
    anomaly.cause = loaded ? "freeze(), or a group with lr_scale 0, as for fine-tuning"
                           : "freeze() or lr_scale 0 left on: weights that were never trained stay random";
    anomaly.remedy = loaded ? "unfreeze() to train them too" : "unfreeze(), or load_model() before";
    anomaly.severity = most && !loaded ? Severity::warning : Severity::note;
  } else {
    return std::nullopt;
  }
  return anomaly;
}

std::vector<Anomaly> check_hyperparameters(const optim::Optimizer& optimizer) {
  std::vector<Anomaly> found;
  const auto add = [&](const char* name, std::string evidence, std::string cause, const char* remedy) {
    found.push_back({.name = name,
                     .where = optimizer.name(),
                     .evidence = std::move(evidence),
                     .cause = std::move(cause),
                     .remedy = remedy});
  };
  constexpr double max_beta = 0.99, min_beta2 = 0.9, max_eps = 1e-4;
  const auto momentum = value_of(optimizer, "momentum"), beta1 = value_of(optimizer, "beta1"),
             beta2 = value_of(optimizer, "beta2"), eps = value_of(optimizer, "eps");
  const auto memory = [](double beta) { return short_form(1 / (1 - beta), 3); };
  if (momentum && *momentum > max_beta)
    add("momentum_too_high", concat("momentum ", *momentum, " adds up the last ", memory(*momentum), " gradients"),
        "the weights overshoot and swing: an update is that many times as long as lr says", "set momentum = 0.9");
  if (beta1 && beta2) {
    if (*beta1 > *beta2)
      add("adam_betas", concat("beta1 ", *beta1, " is above beta2 ", *beta2),
          "the two were exchanged: the scale of an update forgets faster than its direction",
          "set betas 0.9 and 0.999");
    else if (*beta1 > max_beta)
      add("adam_betas", concat("beta1 ", *beta1, " averages over ", memory(*beta1), " gradients"),
          "the updates lag behind the gradients and overshoot", "set beta1 = 0.9");
    else if (*beta2 < min_beta2)
      add("adam_betas", concat("beta2 ", *beta2, " averages over ", memory(*beta2), " squared gradients"),
          "the scale of the updates follows the noise of single batches", "set beta2 = 0.999");
  }
  if (eps && *eps > max_eps)
    add("adam_eps", concat("eps ", short_form(*eps), " is larger than most gradients"),
        "the update is divided by eps rather than by the size of the gradient: the rate is far lower than it looks",
        "set eps = 1e-8");
  return found;
}

std::optional<Anomaly> check_weight_decay(std::span<const optim::ParamGroup> groups, std::span<const double> rates,
                                          std::int64_t steps) {
  constexpr double max_step = 3e-3, min_total = 0.105, chosen = 0.1;  // exp(-0.105) is 0.9
  const optim::ParamGroup* worst = nullptr;
  for (const optim::ParamGroup& group : groups)
    if (!worst || group.lr_scale * group.weight_decay > worst->lr_scale * worst->weight_decay) worst = &group;
  if (!worst || rates.empty()) return std::nullopt;
  const double pull = worst->lr_scale * worst->weight_decay, step = pull * highest_of(rates),
               total = pull * mean_of(rates) * static_cast<double>(steps);
  if (step <= max_step || total < min_total) return std::nullopt;
  return Anomaly{.name = "weight_decay_too_high",
                 .where = concat("group '", worst->name, "'"),
                 .evidence = concat("decay ", short_form(worst->weight_decay), " takes ", short_form(100 * step, 3),
                                    " % off each weight in a step"),
                 .cause = "a decay of weights that is stronger than what the gradients teach them",
                 .remedy = "set weight_decay = 0.01",
                 .details = concat("a weight that no gradient holds up ends at ", short_form(std::exp(-total), 3),
                                   " of its value; usual is a rate times decay of 1e-5"),
                 .severity = worst->weight_decay > chosen ? Severity::warning : Severity::note};
}

std::optional<Anomaly> check_clip(double clip_norm, const optim::Optimizer& optimizer, Index weights) {
  constexpr double min_clip = 1e-3, min_in_eps = 100;
  if (clip_norm >= min_clip) return std::nullopt;
  const double element = clip_norm / std::sqrt(static_cast<double>(std::max<Index>(1, weights)));
  const bool scaled_away = optimizer.batch_scaling() == optim::BatchScaling::sqrt &&
                           element > min_in_eps * value_of(optimizer, "eps").value_or(0);
  return Anomaly{.name = "clip_too_small",
                 .where = "clip_norm",
                 .evidence = concat("gradients are scaled down to a norm of ", short_form(clip_norm)),
                 .cause = "nearly every gradient is clipped, so that the steps are far shorter than lr says",
                 .remedy = "set clip_norm = 1",
                 .details = scaled_away ? concat(optimizer.name(),
                                                 " divides by the size of the gradient, which undoes "
                                                 "most of it")
                                        : std::string(),
                 .severity = scaled_away ? Severity::note : Severity::warning};
}

std::vector<double> sampled_rates(const optim::Schedule& schedule, std::int64_t steps) {
  const std::int64_t samples = std::min(steps, max_rates);
  std::vector<double> rates;
  for (std::int64_t i = 0; i < samples; ++i)
    rates.push_back(schedule(step_of(static_cast<std::size_t>(i), static_cast<std::size_t>(samples), steps)));
  return rates;
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
  if (peak >= n - n / 10 - 1 && rates[n / 2] < 0.3 * highest && highest > 1.2 * plan.lr) {
    anomaly.name = "schedule_grows";
    anomaly.evidence =
        concat("lr grows from ", short_form(rates[0], 3), " to ", short_form(highest, 3), " at step ", at(peak));
    anomaly.cause = "a factor above 1, or a wrong sign in the exponent: most schedules fall";
    anomaly.remedy = "let lr fall after its warmup";
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
