#include <handrail/train/run/summary.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/parallel.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

std::string decay_text(const optim::Optimizer& optimizer) {
  std::string text;
  for (const optim::ParamGroup& group : optimizer.groups())
    text += concat(text.empty() ? "" : ", ", group.weight_decay, " on ", counted(std::ssize(group.params), "tensor"),
                   " ('", group.name, "')");
  return text;
}

bool decays(const optim::Optimizer& optimizer) {
  return std::ranges::any_of(optimizer.groups(), [](const optim::ParamGroup& group) { return group.weight_decay > 0; });
}

const char* decay_name(Decay decay) {
  switch (decay) {
    case Decay::cosine:
      return "cosine to 0";
    case Decay::linear:
      return "linear to 0";
    case Decay::constant:
      return "constant";
  }
  return "unknown";
}

const char* scaling_name(LrScaling scaling) {
  switch (scaling) {
    case LrScaling::automatic:
      return "automatic";
    case LrScaling::linear:
      return "linear";
    case LrScaling::sqrt:
      return "sqrt";
    case LrScaling::none:
      return "none";
  }
  return "unknown";
}

// A protection within a group: the group has a line for those that are on, and one for each that is off.
struct Switch {
  const char* name;
  bool on;
  const char* without;  // what may happen when it is off
};

void add_switches(std::vector<SummaryItem>& items, const std::string& group, std::initializer_list<Switch> switches) {
  std::string on;
  for (const Switch& s : switches)
    if (s.on) on += concat(on.empty() ? "" : ", ", s.name);
  if (!on.empty()) items.push_back({group, on, false});
  for (const Switch& s : switches)
    if (!s.on) items.push_back({concat(group, ".", s.name), s.without, true});
}

}  // namespace

std::string lr_text(double lr, const std::string& source) { return concat(short_form(lr), ", ", source); }

std::string normalization_text(const Normalization& constants, const char* source) {
  return concat("mean ", short_form(constants.mean), ", stddev ", short_form(constants.stddev), ", ", source);
}

std::string schedule_text(const std::string& rates) { return concat("by configure_schedule: ", rates); }

std::string describe_own_schedule(const optim::Schedule& schedule, const optim::Schedule& trainers,
                                  std::int64_t planned_steps) {
  constexpr std::int64_t intervals = 100;
  bool same = true;
  double highest = 0;
  for (std::int64_t i = 0; i <= intervals; ++i) {
    const std::int64_t step = 1 + i * (planned_steps - 1) / intervals;
    const double rate = schedule(step);
    same = same && rate == trainers(step);
    highest = std::max(highest, rate);
  }
  if (same) return {};
  return concat(short_form(schedule(1)), " at step 1, at most ", short_form(highest), ", ",
                short_form(schedule(planned_steps)), " at the last step");
}

std::vector<SummaryItem> summarise(const TrainerOptions& o, const Plan& plan) {
  std::vector<SummaryItem> items;
  const auto item = [&](std::string name, std::string value, bool is_off = false) {
    items.push_back({std::move(name), std::move(value), is_off});
  };
  const auto either = [&](bool on, const std::string& name, const std::string& value, const std::string& without) {
    item(name, on ? value : without, !on);
  };
  const auto limit = [&](std::string name, std::string value) {
    items.push_back({.name = std::move(name), .value = std::move(value), .limit = true});
  };
  if (o.fast_dev_run) limit("fast_dev_run", "one step and one evaluation batch, without checks, nothing is written");
  item("model",
       concat(grouped(plan.model.parameter_count()), " parameters in ", plan.model.parameters().size(), " tensors"));
  item("data", concat(counted(plan.loader.samples(), "sample"), ", ", counted(plan.batches, "batch", "batches"), " of ",
                      o.batch_size, " per epoch, ",
                      o.accumulate_grad_batches > 1 ? concat(o.accumulate_grad_batches, " batches per step, ") : "",
                      counted(o.epochs, "epoch")));
  if (o.limit_train_batches && !o.fast_dev_run)
    limit("limit_train_batches", concat("at most ", counted(*o.limit_train_batches, "batch", "batches"), " per epoch"));
  if (o.limit_val_batches && !o.fast_dev_run)
    limit("limit_val_batches",
          concat("at most ", counted(*o.limit_val_batches, "batch", "batches"), " per evaluation"));
  if (o.overfit_batches)
    limit("overfit_batches",
          concat("trains on the first ", counted(*o.overfit_batches, "batch", "batches"), " only, in every epoch"));
  if (o.max_seconds) limit("max_seconds", concat("the run ends after ", short_form(*o.max_seconds), " s"));
  either(plan.validation, "validation",
         plan.validation ? concat(counted(plan.validation->samples(), "sample"), ", ", plan.validation_source,
                                  "; evaluated every epoch and every ", counted(o.val_check_interval, "step"))
                         : "",
         "nothing measures generalisation");
  std::string metrics;
  for (const Metric& metric : o.metrics) metrics += concat(metrics.empty() ? "" : ", ", metric.name());
  if (!metrics.empty())
    either(plan.validation, "metrics", concat(metrics, ", each over a whole evaluation"),
           concat(metrics, ": there is no validation set to measure them on"));
  if (!o.stratify) item("stratify", "classes may have other shares in the validation set than in the data", true);
  if (o.normalization)
    item("normalization", normalization_text(*o.normalization, "given"));
  else if (plan.is_raw)
    item("normalization", "fitted on the training split");
  item("optimizer", plan.optimizer.settings());
  if (o.optimizer || plan.optimizer.name() != std::string_view("AdamW"))
    item("default optimizer", "the program chose another one", true);
  item("lr", plan.lr ? lr_text(*plan.lr, plan.lr_source) : "found by a sweep before the first step");
  if (o.lr) item("lr finder", "the program set lr", true);
  if (o.lr || o.lr_scaling != LrScaling::automatic)
    either(o.lr_scaling != LrScaling::none, "lr scaling", scaling_name(o.lr_scaling),
           "lr is used as given at any batch size");
  if (!plan.own_schedule.empty()) {
    item("lr schedule", schedule_text(plan.own_schedule));
  } else {
    either(o.warmup.has_value(), "warmup", concat(o.warmup.value_or(0) * 100, " % of the steps, linear from 0"),
           "the first steps use the full lr");
    if (!o.check_warmup) item("check_warmup", "a warmup of any length is accepted", true);
    item("lr decay", decay_name(o.decay), o.decay == Decay::constant);
  }
  either(decays(plan.optimizer), "weight decay", decay_text(plan.optimizer), "weights may grow");
  if (!o.decay_exempt) item("decay_exempt", "biases, norms and embeddings decay too", true);
  either(o.clip_norm.has_value(), "clip", concat("global gradient norm of at most ", o.clip_norm.value_or(0)),
         "gradients may explode");
  either(o.ema_beta.has_value(), "smoothing",
         concat("EMA of the loss, beta ", o.ema_beta.value_or(0), ", bias-corrected"),
         "the loss of each step is shown");
  const bool watched = plan.validation || o.monitor.starts_with("train_");
  const char* unwatched = "there is no validation set";
  either(o.patience && watched, "early stopping",
         concat("after ", counted(o.patience.value_or(0), "evaluation"), " without a ",
                o.improvement == Improvement::significant && o.monitor == "val_loss" ? "significantly " : "",
                o.mode == MonitorMode::min ? "lower " : "higher ", o.monitor),
         watched ? "all epochs are run" : unwatched);
  if (o.improvement == Improvement::plain && o.monitor == "val_loss")
    item("improvement", "any decrease of val_loss counts, also noise", true);
  either(o.restore_best && watched, "restore best",
         concat("the model gets the weights with the best ", o.monitor, " when the run ends"),
         watched ? "the model keeps the weights of the last step" : unwatched);
  either(o.checkpoints.has_value(), "checkpoints",
         o.checkpoints ? concat("the last ", o.checkpoints->keep_last, " and the best in ", plan.run_dir) : "",
         "a run that is interrupted is lost");
  either(o.metrics_csv.has_value(), "metrics_csv",
         o.metrics_csv && !o.metrics_csv->empty() ? o.metrics_csv->string() : concat(plan.run_dir, "/metrics.csv"),
         "the figures of the run are not kept");
  either(o.handle_signals, "signals",
         concat("SIGINT and SIGTERM end the run after the current step", o.checkpoints ? ", with a checkpoint" : ""),
         "SIGINT and SIGTERM kill the run");
  add_switches(items, "guards",
               {{"non_finite", o.guards.non_finite, "NaN may reach the parameters"},
                {"spike", o.guards.spike, "spikes of the loss are not reported"},
                {"divergence", o.guards.divergence, "a run that diverges continues"},
                {"plateau", o.guards.plateau, "plateaus of the loss are not reported"},
                {"slow_progress", o.guards.slow_progress, "a learning rate that is too low is not reported"},
                {"overfitting", o.guards.overfitting && !o.overfit_batches, "overfitting is not reported"},
                {"clip_pressure", o.guards.clip_pressure && o.clip_norm,
                 "gradients that are nearly always clipped are not reported"},
                {"layers", o.guards.layers, "vanishing and exploding gradients and dead units are not reported"},
                {"labels", o.guards.labels, "labels that look random are not reported"}});
  if (o.fast_dev_run)
    item("checks", "fast_dev_run makes none", true);
  else
    add_switches(items, "checks",
                 {{"finite", o.checks.finite, "NaN in the data is found during training only"},
                  {"labels", o.checks.labels, "labels out of range are found during training only"},
                  {"input_scale", o.checks.input_scale, "inputs that are not normalised are not reported"},
                  {"duplicates", o.checks.duplicates, "rows in both training and validation set are not reported"},
                  {"initial_loss", o.checks.initial_loss, "an initial loss that is too high is not reported"},
                  {"reach", o.checks.reach, "parameters that are not trained are not reported"},
                  {"overfit_batch", o.checks.overfit_batch, "whether one batch can be memorised is not tested"}});
  either(o.verify_fixes, "fixes", "try_fix keeps a fix when the improvement is statistically significant",
         "try_fix keeps the first fix without measuring it");
  either(!o.sinks.empty(), "log",
         concat("layer statistics every ", counted(o.log_every_n_steps, "step"), "; the loss is checked at every step"),
         "nothing is reported");
  item("seed", concat(o.seed.value, ", the same bits on any number of threads (now ", num_threads(), ")"));
  if (o.seed.drawn) item("fixed seed", "the seed was drawn at random: every run differs", true);
  return items;
}

}  // namespace handrail::train
