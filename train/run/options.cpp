#include <handrail/train/run/options.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

constexpr Index most_epochs = 1'000'000'000;

bool positive(double value) { return value > 0 && std::isfinite(value); }

// Of a directory; empty for the name of the program.
bool is_name(const std::string& text) {
  constexpr const char* letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return text.find_first_not_of(letters) == std::string::npos && !text.starts_with('.') && text.size() <= 100;
}

// Whether higher or lower is better, where the name says so: of losses, accuracies and the metrics of the library.
std::optional<MonitorMode> mode_of(std::string_view monitor) {
  if (monitor.ends_with("accuracy")) return MonitorMode::max;
  if (monitor.ends_with("loss")) return MonitorMode::min;
  std::string_view name = monitor.substr(std::min(monitor.size(), monitor.find('_') + 1));
  for (const std::string_view average : {"_macro", "_micro", "_weighted"})
    if (name.ends_with(average)) name.remove_suffix(average.size());
  for (const std::string_view metric : {"f1", "precision", "recall", "auc", "r2"})
    if (name == metric) return MonitorMode::max;
  for (const std::string_view metric : {"mae", "mse", "rmse"})
    if (name == metric) return MonitorMode::min;
  return std::nullopt;
}

// Complaints about the names of metrics, each with its line.
std::string wrong_names(const std::vector<Metric>& metrics) {
  std::string wrong;
  std::set<std::string> seen{"loss", "accuracy"};
  for (const Metric& metric : metrics) {
    const std::string name = metric.name();
    if (name.empty()) wrong += "\n  want metrics with names; got one without";
    if (!seen.insert(name).second)
      wrong +=
          concat("\n  want metrics of different names, and none of loss and accuracy, which are always there; got '",
                 name, name == "loss" || name == "accuracy" ? "'" : "' twice");
  }
  return wrong;
}

}  // namespace

Seed random_seed() {
  std::random_device entropy;
  Seed seed = (std::uint64_t{entropy()} << 32) | entropy();
  seed.drawn = true;
  return seed;
}

void validate(const TrainerOptions& o) {
  std::ostringstream wrong;
  const auto check = [&](bool good, const auto&... text) {
    if (!good) ((wrong << "\n  want ") << ... << text);
  };
  const auto at_least_one = [&](const char* name, const auto& value) {
    if (value) check(*value >= 1, name, " >= 1; got ", *value, "; off means no limit");
  };
  check(o.epochs >= 1 && o.epochs <= most_epochs, "epochs in [1, ", most_epochs, "]; got ", o.epochs);
  check(o.batch_size >= 1, "batch_size >= 1; got ", o.batch_size);
  check(o.accumulate_grad_batches >= 1, "accumulate_grad_batches >= 1; got ", o.accumulate_grad_batches);
  if (o.lr) check(positive(*o.lr), "lr > 0; got ", *o.lr);
  if (o.warmup && o.check_warmup)
    check(*o.warmup >= 0.01 && *o.warmup <= 0.1, "warmup in [0.01, 0.1] of the planned steps; got ", *o.warmup,
          "; off means no warmup, check_warmup = off allows any share");
  else if (o.warmup)
    check(*o.warmup >= 0 && *o.warmup < 1, "warmup in [0, 1) of the planned steps; got ", *o.warmup);
  if (o.weight_decay)
    check(*o.weight_decay >= 0 && std::isfinite(*o.weight_decay), "weight_decay >= 0; got ", *o.weight_decay);
  if (o.clip_norm) check(*o.clip_norm > 0, "clip_norm > 0; got ", *o.clip_norm, "; off means no clipping");
  if (o.ema_beta) check(*o.ema_beta >= 0 && *o.ema_beta < 1, "ema_beta in [0, 1); got ", *o.ema_beta);
  if (o.validation_split)
    check(*o.validation_split > 0 && *o.validation_split < 1, "validation_split in (0, 1); got ", *o.validation_split,
          "; off means no validation set");
  check(o.val_check_interval >= 1, "val_check_interval >= 1 step; got ", o.val_check_interval);
  check(!o.monitor.empty(), "monitor to be the name of a value, such as val_loss; got an empty name");
  if (const auto mode = mode_of(o.monitor); mode && *mode != o.mode) {
    const bool max = *mode == MonitorMode::max;
    check(false, "mode = ", max ? "max" : "min", " with monitor '", o.monitor, "'; got ", max ? "min" : "max");
  }
  wrong << wrong_names(o.metrics);
  at_least_one("patience", o.patience);
  at_least_one("limit_train_batches", o.limit_train_batches);
  at_least_one("limit_val_batches", o.limit_val_batches);
  at_least_one("overfit_batches", o.overfit_batches);
  if (o.max_seconds) check(*o.max_seconds > 0, "max_seconds > 0; got ", *o.max_seconds, "; off means no limit");
  check(o.log_every_n_steps >= 1, "log_every_n_steps >= 1; got ", o.log_every_n_steps);
  if (o.normalization)
    check(o.normalization->stddev > 0 && std::isfinite(o.normalization->mean),
          "normalization with a finite mean and stddev > 0; got ", o.normalization->mean, " and ",
          o.normalization->stddev);
  if (o.checkpoints) {
    const CheckpointOptions& c = *o.checkpoints;
    check(c.every_n_epochs >= 1, "checkpoints.every_n_epochs >= 1; got ", c.every_n_epochs);
    if (c.every_n_steps) check(*c.every_n_steps >= 1, "checkpoints.every_n_steps >= 1; got ", *c.every_n_steps);
    check(c.every_minutes > 0, "checkpoints.every_minutes > 0; got ", c.every_minutes);
    check(c.keep_last >= 1, "checkpoints.keep_last >= 1; got ", c.keep_last, "; checkpoints = off means none");
    check(is_name(c.name),
          "checkpoints.name of at most 100 letters, digits, '_', '-' and '.', not starting with '.'; got '", c.name,
          "'");
  }
  for (const auto& sink : o.sinks) check(sink != nullptr, "sinks that are not null");
  if (!wrong.str().empty()) fail<OptionError>("TrainerOptions:", wrong.str());
}

}  // namespace handrail::train
