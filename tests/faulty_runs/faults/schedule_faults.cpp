// Schedules, early stopping and the monitored value.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

using train::MonitorMode;

// Records are better when they are higher, as accuracy is.
struct Score {
  std::string name() const { return "score"; }
  void add(const Tensor& predictions, const Tensor& targets) {
    const Index columns = predictions.shape().cols();
    for (Index i = 0; i < targets.size(); ++i, ++rows) {
      const Scalar* row = predictions.data() + i * columns;
      const auto y = static_cast<Index>(targets.data()[i]);
      hits += columns == 1 ? (row[0] > 0) == (y == 1) : std::max_element(row, row + columns) - row == y;
    }
  }
  double result() const { return static_cast<double>(hits) / static_cast<double>(rows); }
  Index hits = 0, rows = 0;
};

void schedule(Program& p, std::function<double(double lr, double step, double planned)> rate) {
  p.overrides.schedule = [rate](double lr, std::int64_t planned) {
    return [=](std::int64_t step) { return rate(lr, static_cast<double>(step), static_cast<double>(planned)); };
  };
}

}  // namespace

std::vector<Fault> schedule_faults() {
  return {
      {"schedule_grows",
       "the rate grows by 1 % at each step: the sign of the exponent is wrong",
       {"schedule_grows", "divergence", "spike", "lr_too_high"},
       [](Program& p) {
         schedule(p, [](double lr, double step, double) { return std::min(lr * std::exp(0.01 * step), 100.0); });
       }},
      {"decay_per_step_instead_of_epoch",
       "the rate is multiplied by 0.9 at each step",
       {"schedule_ends_early"},
       [](Program& p) { schedule(p, [](double lr, double step, double) { return lr * std::pow(0.9, step); }); }},
      {"cosine_over_epochs_instead_of_steps",
       "the cosine ends after as many steps as there are epochs",
       {"schedule_ends_early"},
       [](Program& p) {
         schedule(p, [epochs = static_cast<double>(p.options.epochs)](double lr, double step, double) {
           return step >= epochs ? 1e-9 * lr : lr * 0.5 * (1 + std::cos(3.14159 * step / epochs));
         });
       }},
      {"cosine_that_restarts",
       "the cosine goes on past its end, and the run ends at the peak rate",
       {"schedule_grows"},
       [](Program& p) {
         schedule(p, [](double lr, double step, double planned) {
           return lr * (0.501 + 0.5 * std::cos(2 * 3.14159 * step / planned)) * 5;
         });
       }},
      {"schedule_by_epoch_number",
       "the schedule is asked for the epoch, and so stays in the warmup",
       {"schedule_ends_early", "lr_too_low", "slow_progress"},
       [](Program& p) {
         schedule(p, [epochs = static_cast<double>(p.options.epochs)](double lr, double step, double planned) {
           return lr * (1 + std::floor(step * epochs / planned)) / (20 * planned);
         });
       }},
      {"warmup_of_95_percent",
       "95 % of the steps are warmup, at a given rate",
       {"warmup_too_long"},
       [](Program& p) {
         p.options.lr = 2e-4;
         p.options.warmup = 0.95;
         p.options.check_warmup = false;
       }},
      {"warmup_of_half",
       "half of the steps are warmup",
       {"warmup_too_long"},
       [](Program& p) { p.options.warmup = 0.5; },
       any,
       {"warmup"},
       Harm::score,
       false,
       true},
      {"patience_of_one",
       "patience = 1 of the plain rule, at a low rate",
       {"patience_too_low", "too_few_steps", "lr_too_low"},
       [](Program& p) {
         p.options.patience = 1;
         p.options.improvement = train::Improvement::plain;
         p.options.val_check_interval = 3;
         p.options.lr = 5e-4;
       }},
      {"monitored_r2_is_minimised",
       "val_r2 is monitored, and the mode is min",
       {"monitor_mode"},
       [](Program& p) { p.options.monitor = "val_r2"; },
       regression,
       {"mode"}},
      {"monitored_accuracy_is_minimised",
       "val_accuracy is monitored, and the mode is min",
       {"monitor_mode"},
       [](Program& p) { p.options.monitor = "val_accuracy"; },
       classes,
       {"mode"},
       Harm::score,
       false,
       true},
      {"own_metric_is_minimised",
       "a metric of one's own, of which more is better, is monitored with the mode min",
       {"monitor_mode"},
       [](Program& p) {
         p.options.metrics.push_back(Score{});
         p.options.monitor = "val_score";
       },
       classes},
      {"val_loss_is_maximised",
       "val_loss is monitored with the mode max",
       {"monitor_mode"},
       [](Program& p) { p.options.mode = MonitorMode::max; },
       any,
       {"mode"},
       Harm::score,
       false,
       true},
      {"constant_metric_monitored",
       "a metric that is always 0 is monitored",
       {"monitor_constant", "monitor_mode"},
       [](Program& p) {
         struct Zero {
           std::string name() const { return "zero"; }
           void add(const Tensor&, const Tensor&) {}
           double result() const { return 0; }
         };
         p.options.metrics.push_back(Zero{});
         p.options.monitor = "val_zero";
       }},
      {"validation_loss_of_another_kind",
       "validation_step returns minus the loss",
       {"loss_sign", "monitor_mode"},
       [](Program& p) {
         p.overrides.validation_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs);
           return train::StepOutput{.loss = -loss(outputs, batch.targets), .predictions = outputs};
         };
       }},
      {"no_validation_set",
       "80 training rows, 100 epochs, and no validation set",
       {"no_validation", "overfitting"},
       [](Program& p) {
         p.train = pick(p.train, numbers(80));
         p.own_split = false;
         p.options.validation_split = train::off;
         p.hidden = {128, 128};
         p.options.epochs = 100;
         p.options.weight_decay = train::off;
       }},
      {"overfits_without_protection",
       "80 training rows, 100 epochs, no early stopping, and the last weights are kept",
       {"overfitting"},
       [](Program& p) {
         p.train = pick(p.train, numbers(80));
         p.hidden = {128, 128};
         p.options.epochs = 100;
         p.options.patience = train::off;
         p.options.restore_best = false;
         p.options.weight_decay = train::off;
       }},
  };
}

}  // namespace faulty_runs
