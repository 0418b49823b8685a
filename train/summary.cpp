#include <handrail/train/summary.h>

#include <initializer_list>

#include <handrail/core/error.h>
#include <handrail/core/parallel.h>
#include <handrail/train/text.h>

namespace handrail::train {
namespace {

std::string decay_text(const optim::Optimizer& optimizer) {
  std::string text;
  for (const optim::ParamGroup& group : optimizer.groups())
    text += concat(text.empty() ? "" : ", ", group.weight_decay, " on ", group.params.size(), " tensors ('", group.name,
                   "')");
  return text;
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

// One line of what is on, and one for each that is off.
struct Switch {
  const char* name;
  bool on;
  const char* without;  // what may happen then
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

std::vector<SummaryItem> summarise(const TrainerOptions& o, const Plan& plan) {
  std::vector<SummaryItem> items;
  const auto item = [&](std::string name, std::string value, bool is_off = false) {
    items.push_back({std::move(name), std::move(value), is_off});
  };
  const auto either = [&](bool on, const std::string& name, const std::string& value, const std::string& without) {
    item(name, on ? value : without, !on);
  };
  if (o.fast_dev_run) item("fast_dev_run", "one step, one evaluation batch, no checks, nothing written", true);
  item("model",
       concat(grouped(plan.model.parameter_count()), " parameters in ", plan.model.parameters().size(), " tensors"));
  item("data", concat(grouped(plan.loader.samples()), " samples, batches of ", o.batch_size,
                      o.accumulate_grad_batches > 1 ? concat(" x ", o.accumulate_grad_batches, " accumulated") : "",
                      ", ", grouped(plan.batches), " to an epoch, ", grouped(o.epochs), " epochs"));
  if (o.limit_train_batches) item("limit_train_batches", concat(*o.limit_train_batches, " to an epoch"));
  if (o.overfit_batches)
    item("overfit_batches", concat("only the first ", *o.overfit_batches, ", over and over"), true);
  either(plan.validation, "validation",
         plan.validation ? concat(grouped(plan.validation->samples()), " samples, ", plan.validation_source,
                                  "; every epoch or ", grouped(o.val_check_interval), " steps")
                         : "",
         "nothing measures generalisation");
  std::string metrics;
  for (const Metric& metric : o.metrics) metrics += concat(metrics.empty() ? "" : ", ", metric.name());
  if (!metrics.empty())
    either(plan.validation, "metrics", concat(metrics, ", each over a whole evaluation"),
           concat(metrics, ": there is no validation set to measure them on"));
  if (!o.stratify) item("stratify", "classes may have other shares in the validation set", true);
  if (plan.normalization)
    item("normalization", concat("mean ", plan.normalization->mean, ", stddev ", plan.normalization->stddev,
                                 o.normalization ? ", given" : ", of the training split"));
  item("optimizer", plan.optimizer.settings());
  if (o.optimizer) item("default optimizer", "the program chose another", true);
  item("lr", concat(plan.lr, ", ", plan.lr_source));
  if (o.lr) item("lr finder", "the program gave the rate", true);
  if (o.lr || o.lr_scaling != LrScaling::automatic)
    either(o.lr_scaling != LrScaling::none, "lr scaling", scaling_name(o.lr_scaling),
           "the rate is used as given at any batch size");
  either(o.warmup.has_value(), "warmup", concat(o.warmup.value_or(0) * 100, " % of the steps, linear from 0"),
         "the first steps are at the full rate");
  if (!o.check_warmup) item("check_warmup", "any share is accepted", true);
  item("lr decay", decay_name(o.decay), o.decay == Decay::constant);
  either(o.weight_decay.has_value(), "weight decay", decay_text(plan.optimizer), "weights may grow");
  if (!o.decay_exempt) item("decay_exempt", "biases, norms and embeddings decay too", true);
  either(o.clip_norm.has_value(), "clip", concat("global gradient norm at ", o.clip_norm.value_or(0)),
         "gradients may explode");
  either(o.ema_beta.has_value(), "smoothing", concat("EMA of the loss, beta ", o.ema_beta.value_or(0), ", debiased"),
         "the loss is shown as it is");
  const bool watched = plan.validation || o.monitor.starts_with("train_");
  const char* unwatched = "there is no validation set to watch";
  either(o.patience && watched, "early stopping",
         concat("after ", o.patience.value_or(0), " evaluations without a ",
                o.mode == MonitorMode::min ? "lower " : "higher ", o.monitor,
                o.improvement == Improvement::significant && o.monitor == "val_loss" ? ", beyond noise" : ""),
         watched ? "all epochs are run" : unwatched);
  if (o.improvement == Improvement::plain && o.monitor == "val_loss")
    item("improvement", "any decrease counts, noise too", true);
  either(o.restore_best && watched, "restore best", concat("the weights of the best ", o.monitor, ", on every way out"),
         watched ? "the weights stay as they ended" : unwatched);
  either(!plan.run_dir.empty(), "checkpoints",
         o.checkpoints ? concat(plan.run_dir, ", the last ", o.checkpoints->keep_last, " and the best") : "",
         "a run that is interrupted is lost");
  either(o.handle_signals, "signals", "SIGINT and SIGTERM end the run after the step, with a checkpoint",
         "SIGINT and SIGTERM kill the run");
  add_switches(items, "guards",
               {{"non_finite", o.guards.non_finite, "NaN may reach the parameters"},
                {"spike", o.guards.spike, "spikes of the loss are not named"},
                {"divergence", o.guards.divergence, "a run that diverges goes on"},
                {"plateau", o.guards.plateau, "standing still is not named"},
                {"slow_progress", o.guards.slow_progress, "a rate too low is not named"},
                {"overfitting", o.guards.overfitting, "overfitting is not named"},
                {"clip_pressure", o.guards.clip_pressure, "steps that are clipped all the time are not named"},
                {"layers", o.guards.layers, "vanishing and exploding layers are not named"},
                {"labels", o.guards.labels, "labels that look random are not named"}});
  add_switches(items, "checks",
               {{"finite", o.checks.finite, "NaN in the data is found step by step"},
                {"labels", o.checks.labels, "labels are looked at step by step"},
                {"input_scale", o.checks.input_scale, "inputs of any scale are taken"},
                {"duplicates", o.checks.duplicates, "validation may know training rows"},
                {"initial_loss", o.checks.initial_loss, "a bad start is not named"},
                {"reach", o.checks.reach, "parameters that are not trained are not named"},
                {"overfit_batch", o.checks.overfit_batch, "whether a batch can be learnt is not tried"}});
  either(o.verify_fixes, "fixes", "kept by try_fix when better beyond noise", "kept by try_fix unmeasured");
  either(!o.sinks.empty(), "log", concat("every ", o.log_every_n_steps, " steps, checked every step"),
         "nobody looks on");
  item("seed", concat(o.seed.value, ", same bits on any number of threads (now ", num_threads(), ")"));
  if (o.seed.drawn) item("fixed seed", "drawn: another one each run", true);
  return items;
}

}  // namespace handrail::train
