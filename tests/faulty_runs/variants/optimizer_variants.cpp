// Optimizers, their settings and the length of a run, of the part `variants`.
#include "variants/variants.h"

namespace faulty_runs {
namespace {

const std::vector<std::string> too_high{"lr_too_high", "divergence", "spike", "dead_units"};
const std::vector<std::string> too_low{"lr_too_low", "slow_progress"};

}  // namespace

std::vector<Fault> optimizer_variants() {
  return {
      {"adam_at_the_rate_of_sgd", "Adam with lr = 0.3, which was right for SGD", too_high,
       [](Program& p) {
         p.options.optimizer = train::with<optim::Adam>({});
         p.options.lr = 0.3;
       }},
      {"sgd_of_2_at_a_constant_rate", "SGD with momentum and lr = 2 to the last step, for batches of 64", too_high,
       [](Program& p) {
         sgd(p, 2, {.momentum = 0.9});
         p.options.batch_size = 64;
         p.options.decay = train::Decay::constant;
       }},
      {"first_group_at_500_times_the_rate",
       "the group of the first layer has lr_scale = 500, where 1 / 500 was meant",
       {"lr_too_high", "dead_units", "divergence", "spike"},
       [](Program& p) {
         p.overrides.optimizer = [](const nn::Layer& model) {
           optim::ParamGroup first{.name = "first", .params = {}, .lr_scale = 500},
               others{.name = "others", .params = {}};
           for (const Parameter& w : model.parameters())
             (w.name.starts_with("0.") ? first : others).params.push_back(w);
           return std::make_unique<optim::AdamW>(std::vector{first, others});
         };
       }},
      {"rate_of_fine_tuning", "AdamW with lr = 2e-5, as for a trained transformer, for a new model", too_low,
       [](Program& p) { p.options.lr = 2e-5; }},
      {"sgd_at_the_default_of_adam", "SGD without momentum with lr = 1e-3 for batches of 64", too_low,
       [](Program& p) {
         sgd(p, 1e-3, {});
         p.options.batch_size = 64;
       }},
      {"nesterov_momentum_of_0_995",
       "SGD with a Nesterov momentum of 0.995 and lr = 0.02",
       {"momentum_too_high", "oscillation", "lr_too_high"},
       [](Program& p) { sgd(p, 0.02, {.momentum = 0.995, .nesterov = true}); }},
      {"beta1_above_beta2",
       "Adam with beta1 = 0.99 and beta2 = 0.5",
       {"adam_betas"},
       [](Program& p) { p.options.optimizer = train::with<optim::Adam>({.beta1 = 0.99, .beta2 = 0.5}); }},
      {"beta1_of_0_9995",
       "AdamW with beta1 = 0.9995, for a moving average of the whole run",
       {"adam_betas", "momentum_too_high"},
       [](Program& p) { p.options.optimizer = train::with<optim::AdamW>({.beta1 = 0.9995}); }},
      {"eps_of_0_3_in_adam",
       "Adam with eps = 0.3 and lr = 1e-3",
       {"adam_eps"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::Adam>({.eps = 0.3});
         p.options.lr = 1e-3;
       }},
      {"decay_in_percent",
       "a weight decay of 0.05 is given in percent, as 5",
       {"weight_decay_too_high"},
       [](Program& p) { p.options.weight_decay = 5; }},
      {"l2_of_0_1_for_sgd",
       "SGD with an L2 penalty of 0.1",
       {"weight_decay_too_high"},
       [](Program& p) {
         sgd(p, 0.05, {.momentum = 0.9});
         p.options.weight_decay = 0.1;
       }},
      {"clipped_to_the_rate",
       "the clip norm was given the value of the rate, 0.001, for SGD",
       {"clip_too_small"},
       [](Program& p) {
         sgd(p, 0.02, {.momentum = 0.9});
         p.options.clip_norm = 1e-3;
       }},
      {"batches_of_512",
       "batches of 512 rows of about a thousand, at a given rate of 1e-3",
       {"too_few_steps"},
       [](Program& p) {
         p.options.batch_size = 512;
         p.options.lr = 1e-3;
         p.options.lr_scaling = train::LrScaling::none;
       }},
      {"three_epochs",
       "three epochs with batches of 64",
       {"too_few_steps", "still_improving"},
       [](Program& p) {
         p.options.epochs = 3;
         p.options.batch_size = 64;
         p.options.lr = 1e-3;
       }},
      {"limit_of_four_batches_left_on",
       "limit_train_batches = 4 is left from a test",
       {"limited_run"},
       [](Program& p) { p.options.limit_train_batches = 4; }},
      {"overfits_two_batches",
       "overfit_batches = 2 is left from a test",
       {"limited_run"},
       [](Program& p) { p.options.overfit_batches = 2; }},
      {"sgd_at_the_edge",
       "SGD with a momentum of 0.97 and a constant rate of 0.3, so that the loss goes up and down",
       {"oscillation", "lr_too_high", "momentum_too_high", "divergence", "spike"},
       [](Program& p) {
         sgd(p, 0.3, {.momentum = 0.97});
         p.options.decay = train::Decay::constant;
       }},
  };
}

}  // namespace faulty_runs
