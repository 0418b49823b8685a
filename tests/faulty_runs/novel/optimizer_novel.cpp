// Optimizers and schedules, of the part `novel`.
#include <algorithm>
#include <cmath>

#include "novel/novel.h"

namespace faulty_runs {
namespace {

// AdamW with two groups: the parameters for which `chosen` says so, as `second` has it, and the others.
void two_groups(Program& p, const std::function<bool(const std::string& name)>& chosen, optim::ParamGroup second) {
  p.overrides.optimizer = [chosen, second](const nn::Layer& model) {
    optim::ParamGroup first{.name = "first", .params = {}}, other = second;
    for (const Parameter& w : model.parameters()) (chosen(w.name) ? other : first).params.push_back(w);
    return std::make_unique<optim::AdamW>(std::vector<optim::ParamGroup>{first, other});
  };
}

}  // namespace

std::vector<Fault> novel_optimizers() {
  return {
      {"n_adam_without_memory",
       "AdamW with beta1 = 0 and beta2 = 0, at lr = 0.01 to the last step: each step has its full length",
       {"adam_betas", "lr_too_high"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::AdamW>({.beta1 = 0, .beta2 = 0});
         p.options.lr = 0.01;
         p.options.decay = train::Decay::constant;
       }},
      {"n_first_layer_decays_by_40",
       "the group of the first layer has a weight decay of 40, where 0.4 was meant",
       {"weight_decay_too_high"},
       [](Program& p) {
         two_groups(p, [](const std::string& name) { return name == "0.weight"; },
                    {.name = "first layer", .params = {}, .weight_decay = 40});
         p.options.lr = 2e-3;
       }},
      {"n_biases_at_300_times_the_rate",
       "the group of the biases has lr_scale = 300, copied from a model whose biases were logarithms",
       {"lr_too_high", "dead_units"},
       [](Program& p) {
         two_groups(p, [](const std::string& name) { return name.ends_with("bias"); },
                    {.name = "biases", .params = {}, .lr_scale = 300});
       }},
      {"n_l2_of_0_05_in_adam",
       "Adam, not AdamW, with the weight decay of 0.05 that a recipe has for AdamW",
       {"weight_decay_too_high"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::Adam>();
         p.options.weight_decay = 0.05;
       }},
  };
}

std::vector<Fault> novel_schedules() {
  return {
      {"n_polynomial_of_power_20",
       "the rate falls as the 20th power of what is left of the run, where the square was meant",
       {"schedule_ends_early"},
       [](Program& p) {
         schedule(p, [](double lr, double step, double planned) {
           return lr * std::pow(1 - std::min(1.0, step / (planned + 1)), 20);
         });
       }},
      {"n_gamma_of_0_1_each_epoch",
       "the rate is multiplied by 0.1 each epoch, where every tenth epoch was meant",
       {"schedule_ends_early"},
       [](Program& p) {
         schedule(p, [epochs = static_cast<double>(p.options.epochs)](double lr, double step, double planned) {
           return lr * std::pow(0.1, std::floor((step - 1) * epochs / planned));
         });
       }},
      {"n_cycles_up_to_0_3",
       "the rate goes up to 0.3 and down again every 40 steps, the limits of a paper that used SGD, for AdamW",
       {"lr_too_high", "schedule_grows", "dead_units"},
       [](Program& p) {
         p.options.lr = 0.3;
         schedule(p, [](double lr, double step, double) {
           return lr * (1 - std::abs(1 - std::fmod(step, 40) / 20) + 1e-3);
         });
       }},
      {"n_schedule_of_a_transformer",
       "the rate is that of a transformer of 512 units with a warmup of 4000 steps, which the run does not have",
       {"warmup_too_long", "lr_too_low"},
       [](Program& p) {
         p.options.lr = 7e-4;
         schedule(p, [](double, double step, double) {
           return std::min(1 / std::sqrt(step), step * std::pow(4000, -1.5)) / std::sqrt(512.0);
         });
       }},
      {"n_schedule_of_a_finished_run",
       "new weights were trained on with the step number of a finished run: the cosine begins at 96 % of its way",
       {"schedule_ends_early", "lr_too_low"},
       [](Program& p) {
         p.options.lr = 2e-3;
         schedule(p, [](double lr, double step, double planned) {
           return lr * half_cosine(0.96 + 0.04 * std::min(1.0, step / (planned + 1)));
         });
       }},
  };
}

}  // namespace faulty_runs
