#include <handrail/train/run/summary.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <type_traits>
#include <typeinfo>
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

// Collects the lines of a summary. A line about one option takes its name and its opt-out from the list of options.
class Lines {
 public:
  explicit Lines(const TrainerOptions& options) : options_(options) {}

  void item(std::string name, std::string value, bool is_off = false) {
    items_.push_back({std::move(name), std::move(value), is_off});
  }
  void limit(std::string name, std::string value) {
    items_.push_back({.name = std::move(name), .value = std::move(value), .limit = true});
  }
  /// A line with the value when `on`; otherwise with what may happen without the option: `reason`, or what the list of
  /// options says.
  template <class T>
  void either(const T& option, bool on, std::string value, const char* reason = nullptr) {
    const OptionInfo info = info_of(option);
    item(label(info), on ? std::move(value) : reason ? reason : info.without, !on);
  }
  template <class T>
  void either(const T& option, std::string value) {
    either(option, !is_off(option), std::move(value));
  }
  /// A line only when the option is off.
  template <class T>
  void when_off(const T& option) {
    if (is_off(option)) either(option, {});
  }
  /// One line for all switches of a group that are on, and one line for each that is off.
  template <class Group>
  void switches(const std::string& group, const Group& options) {
    std::string on;
    std::vector<SummaryItem> lines;
    visit_options(options, [&]<class T>(const OptionInfo& info, const T& value) {
      if constexpr (std::is_same_v<T, bool>) {
        shown_.insert(concat(group, ".", info.name));
        if (value)
          on += concat(on.empty() ? "" : ", ", info.name);
        else
          lines.push_back({concat(group, ".", info.name), info.without, true});
      }
    });
    if (!on.empty()) item(group, on);
    std::ranges::move(lines, std::back_inserter(items_));
  }
  /// Marks options that other lines show.
  template <class... T>
  void mark_shown(const T&... options) {
    (info_of(options), ...);
  }
  /// A line for every option that no other line shows and that does not have its default value.
  void others() {
    const TrainerOptions defaults{.epochs = options_.epochs};
    std::map<std::string, std::string> texts;
    visit_options(defaults, [&]<class T>(const OptionInfo& info, const T& value) {
      if constexpr (TextOption<T>) texts[info.name] = option_text(value);
    });
    visit_options(options_, [&]<class T>(const OptionInfo& info, const T& value) {
      if constexpr (TextOption<T>) {
        const std::string text = option_text(value);
        if (shown_.contains(info.name) || text == texts[info.name]) return;
        const bool lost = !info.without.empty() && text == "off";
        item(label(info), lost ? info.without : text, lost);
      }
    });
  }
  std::vector<SummaryItem> take() {
    for (SummaryItem& item : items_) item.value = printable(item.value, LineEnds::escape);
    return std::move(items_);
  }

 private:
  static std::string label(const OptionInfo& info) { return info.label.empty() ? info.name : info.label; }
  template <class Option>
  OptionInfo info_of(const Option& option) {
    return info_at(&option, typeid(Option));
  }
  // By address and type, as one walk through the options takes seconds to compile.
  OptionInfo info_at(const void* address, const std::type_info& type) {
    OptionInfo found;
    visit_options(options_, [&]<class T>(const OptionInfo& info, const T& value) {
      if (&value == address && typeid(T) == type) found = info;
    });
    shown_.insert(found.name);
    return found;
  }

  const TrainerOptions& options_;
  std::vector<SummaryItem> items_;
  std::set<std::string> shown_;
};

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
  Lines lines(o);
  lines.mark_shown(o.epochs, o.batch_size, o.accumulate_grad_batches, o.val_check_interval, o.monitor, o.mode,
                   o.improvement, o.lr, o.decay, o.warmup, o.lr_scaling, o.limit_train_batches, o.limit_val_batches,
                   o.overfit_batches, o.max_seconds, o.fast_dev_run, o.seed, o.log_every_n_steps);
  if (o.checkpoints) lines.mark_shown(o.checkpoints->dir, o.checkpoints->name, o.checkpoints->keep_last);
  if (o.fast_dev_run)
    lines.limit("fast_dev_run", "one step and one evaluation batch, without checks, nothing is written");
  lines.item("model", concat(grouped(plan.model.parameter_count()), " parameters in ", plan.model.parameters().size(),
                             " tensors"));
  lines.item("data",
             concat(counted(plan.loader.samples(), "sample"), ", ", counted(plan.batches, "batch", "batches"), " of ",
                    o.batch_size, " per epoch, ",
                    o.accumulate_grad_batches > 1 ? concat(o.accumulate_grad_batches, " batches per step, ") : "",
                    counted(o.epochs, "epoch")));
  if (o.limit_train_batches && !o.fast_dev_run)
    lines.limit("limit_train_batches",
                concat("at most ", counted(*o.limit_train_batches, "batch", "batches"), " per epoch"));
  if (o.limit_val_batches && !o.fast_dev_run)
    lines.limit("limit_val_batches",
                concat("at most ", counted(*o.limit_val_batches, "batch", "batches"), " per evaluation"));
  if (o.overfit_batches)
    lines.limit("overfit_batches", concat("trains on the first ", counted(*o.overfit_batches, "batch", "batches"),
                                          " only, in every epoch"));
  if (o.max_seconds) lines.limit("max_seconds", concat("the run ends after ", short_form(*o.max_seconds), " s"));
  lines.either(o.validation_split, plan.validation,
               plan.validation ? concat(counted(plan.validation->samples(), "sample"), ", ", plan.validation_source,
                                        "; evaluated every epoch and every ", counted(o.val_check_interval, "step"))
                               : "");
  std::string metrics;
  for (const Metric& metric : o.metrics) metrics += concat(metrics.empty() ? "" : ", ", metric.name());
  if (!metrics.empty())
    lines.item("metrics",
               plan.validation ? concat(metrics, ", each over a whole evaluation")
                               : concat(metrics, ": there is no validation set to measure them on"),
               !plan.validation);
  lines.when_off(o.stratify);
  if (o.normalization)
    lines.item("normalization", normalization_text(*o.normalization, "given"));
  else if (plan.is_raw)
    lines.item("normalization", "fitted on the training split");
  lines.when_off(o.standardize);
  lines.item("optimizer", plan.optimizer.settings());
  if (o.optimizer || plan.optimizer.name() != std::string_view("AdamW"))
    lines.item("default optimizer", "the program chose another one", true);
  lines.item("lr", plan.lr ? lr_text(*plan.lr, plan.lr_source) : "found by a sweep before the first step");
  if (o.lr) lines.item("lr finder", "the program set lr", true);
  if (o.lr || o.lr_scaling != LrScaling::automatic)
    lines.either(o.lr_scaling, o.lr_scaling != LrScaling::none, option_text(o.lr_scaling));
  if (!plan.own_schedule.empty()) {
    lines.item("lr schedule", schedule_text(plan.own_schedule));
  } else {
    lines.either(o.warmup, concat(o.warmup.value_or(0) * 100, " % of the steps, linear from 0"));
    lines.when_off(o.check_warmup);
    lines.item("lr decay", decay_name(o.decay), o.decay == Decay::constant);
  }
  lines.either(o.weight_decay, decays(plan.optimizer), decay_text(plan.optimizer));
  lines.when_off(o.decay_exempt);
  lines.either(o.clip_norm, concat("global gradient norm of at most ", o.clip_norm.value_or(0)));
  lines.either(o.ema_beta, concat("EMA of the loss, beta ", o.ema_beta.value_or(0), ", bias-corrected"));
  const bool watched = plan.validation || is_training_figure(o.monitor);
  const char* unwatched = watched ? nullptr : "there is no validation set";
  const bool tested = o.improvement == Improvement::significant && o.monitor == "val_loss";
  const bool knows_noise = tested && o.decay != Decay::constant;
  lines.either(o.patience, o.patience && watched,
               concat("after ", counted(o.patience.value_or(0), "evaluation"),
                      knows_noise ? " above the lowest val_loss beyond its noise"
                                  : concat(" without a ", tested ? "significantly " : "",
                                           o.mode == MonitorMode::min ? "lower " : "higher ", o.monitor)),
               unwatched);
  if (o.improvement == Improvement::plain && o.monitor == "val_loss")
    lines.item("improvement", "any decrease of val_loss counts, also noise", true);
  lines.either(o.restore_best, o.restore_best && watched,
               concat("the model gets the ",
                      knows_noise ? "last weights as good as those of the lowest val_loss"
                                  : concat("weights with the best ", o.monitor),
                      " when the run ends"),
               unwatched);
  lines.either(o.checkpoints,
               o.checkpoints ? concat("the last ", o.checkpoints->keep_last, " and the best in ", plan.run_dir) : "");
  lines.mark_shown(o.repair);
  if (o.repair)
    lines.item("repair", concat("up to ", counted(*o.repair, "further fit"), " with fixes when there are anomalies"));
  lines.mark_shown(o.refit, o.calibrate, o.balance_classes);
  if (o.balance_classes) lines.item("balance_classes", "all classes count the same in the loss and in val_loss");
  if (o.calibrate) lines.item("calibrate", "at its end, the outputs are divided by a temperature fitted to validation");
  if (o.refit) lines.item("refit", "a second fit, on all rows, for as many epochs as the first one shows to be right");
  lines.mark_shown(o.verify_steps);
  if (o.verify_steps)
    lines.item("verify_steps", concat(100 * *o.verify_steps, " % of the steps are computed twice and compared"));
  lines.either(o.metrics_csv, o.metrics_csv && !o.metrics_csv->empty() ? o.metrics_csv->string()
                                                                       : concat(plan.run_dir, "/metrics.csv"));
  lines.either(o.report, o.report && !plan.run_dir.empty(), "report.html in the directory of the run",
               plan.run_dir.empty() ? "there is no directory of the run" : nullptr);
  lines.either(o.handle_signals, concat("SIGINT and SIGTERM end the run after the current step",
                                        o.checkpoints ? ", with a checkpoint" : ""));
  GuardOptions guards = o.guards;
  if (o.overfit_batches) guards.overfitting = off;  // overfitting is what was asked for
  if (!o.clip_norm) guards.clip_pressure = off;
  lines.switches("guards", guards);
  if (o.fast_dev_run)
    lines.item("checks", "fast_dev_run makes none", true);
  else
    lines.switches("checks", o.checks);
  lines.either(o.verify_fixes, "try_fix keeps a fix when the improvement is statistically significant");
  lines.either(
      o.sinks, !o.sinks.empty(),
      concat("layer statistics every ", counted(o.log_every_n_steps, "step"), "; the loss is checked at every step"));
  lines.others();
  lines.item("seed", concat(o.seed.value, ", the same bits on any number of threads (now ", num_threads(), ")"));
  if (o.seed.drawn) lines.item("fixed seed", "the seed was drawn at random: every run differs", true);
  return lines.take();
}

}  // namespace handrail::train
