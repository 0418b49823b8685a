// Optimizers, schedules and early stopping, of the part `unseen`.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "unseen/unseen.h"

namespace faulty_runs {

void schedule(Program& p, const std::function<double(double lr, double step, double planned)>& rate) {
  p.overrides.schedule = [rate](double lr, std::int64_t planned) {
    return [=](std::int64_t step) { return rate(lr, static_cast<double>(step), static_cast<double>(planned)); };
  };
}

double half_cosine(double share) { return (1 + std::cos(std::numbers::pi * share)) / 2; }

std::vector<Fault> unseen_optimizers() {
  return {
      {"u_beta2_of_0_1",
       "AdamW with beta1 = 0.95 and beta2 = 0.1: 0.9 of the new square where 0.9 of the old was meant",
       {"adam_betas"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::AdamW>({.beta1 = 0.95, .beta2 = 0.1});
         p.options.lr = 5e-3;
       }},
      {"u_rate_for_batches_of_8192",
       "SGD with the rate of 3.2 that a paper has for batches of 8192, for batches of 32",
       {"lr_too_high", "divergence", "spike", "dead_units"},
       [](Program& p) {
         sgd(p, 3.2);
         p.options.lr_scaling = train::LrScaling::none;
       }},
      {"u_decay_by_hand_without_the_rate",
       "a hook multiplies all weights by 0.98 after each step, where 1 - 0.02 times the rate was meant",
       {"weights_overwritten", "weight_decay_too_high"},
       [](Program& p) {
         p.overrides.after_step = [](const nn::Layer& model, std::int64_t) {
           each_weight(model, "weight", [](Scalar& w) { w *= Scalar(0.98); });
         };
       }},
      {"u_clipped_to_one_hundredth",
       "SGD with a clip norm of 0.01, copied from a method for private data, and lr = 0.01",
       {"clip_too_small"},
       [](Program& p) {
         sgd(p, 0.01);
         p.options.clip_norm = 0.01;
       }},
      {"u_momentum_of_0_998",
       "SGD with a momentum of 0.998, 1 minus a rate, and lr = 0.01 to the last step",
       {"momentum_too_high", "oscillation", "lr_too_high"},
       [](Program& p) {
         sgd(p, 0.01, {.momentum = 0.998});
         p.options.decay = train::Decay::constant;
       }},
  };
}

std::vector<Fault> unseen_schedules() {
  return {
      {"u_cosine_upside_down",
       "the cosine has the wrong sign: the rate rises from 0 to 0.05 over the run, and ends there",
       {"schedule_grows", "warmup_too_long", "lr_too_high", "divergence", "spike", "dead_units"},
       [](Program& p) {
         p.options.lr = 0.05;
         schedule(p, [](double lr, double step, double planned) {
           return lr * (1 - half_cosine(std::min(1.0, step / planned)));
         });
       }},
      {"u_restarts_every_ten_steps",
       "a cosine begins anew every 10 steps, where 10 epochs were meant, at a peak of 0.05 for AdamW",
       {"schedule_grows", "oscillation", "lr_too_high", "divergence", "spike", "dead_units"},
       [](Program& p) {
         p.options.lr = 0.05;
         schedule(p, [](double lr, double step, double) { return lr * half_cosine(std::fmod(step - 1, 10) / 10); });
       }},
      {"u_ramp_up_of_three_runs",
       "the rate is 0.001 exp(-5 (1 - s)^2), where s reaches 1 after three times the steps of the run",
       {"warmup_too_long", "lr_too_low", "slow_progress"},
       [](Program& p) {
         p.options.lr = 1e-3;
         schedule(p, [](double lr, double step, double planned) {
           return lr * std::exp(-5 * std::pow(1 - step / (3 * planned), 2));
         });
       }},
      {"u_patience_in_steps",
       "validation comes every two steps, so that a patience of 4 ends the run within its first epochs",
       {"patience_too_low", "too_few_steps", "still_improving"},
       [](Program& p) {
         p.options.lr = 1e-3;
         p.options.val_check_interval = 2;
         p.options.patience = 4;
         p.options.improvement = train::Improvement::plain;
         p.options.monitor = p.kind == train::Task::regression ? "val_r2" : "val_accuracy";
         p.options.mode = train::MonitorMode::max;
       }},
  };
}

}  // namespace faulty_runs
