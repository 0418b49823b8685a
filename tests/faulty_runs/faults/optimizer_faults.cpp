// Rates, moments, decay, clipping and limits.
#include "faults/fault.h"

namespace faulty_runs {
namespace {

const std::vector<std::string> too_high{"lr_too_high", "divergence", "spike", "dead_units"};
const std::vector<std::string> too_low{"lr_too_low", "slow_progress"};

void adam(Program& p, optim::AdamOptions options) { p.options.optimizer = train::with<optim::AdamW>(options); }
std::function<void(Program&)> rate(double lr) {
  return [lr](Program& p) { p.options.lr = lr; };
}

}  // namespace

void sgd(Program& p, double lr, optim::SGDOptions options) {
  p.options.optimizer = train::with<optim::SGD>(options);
  p.options.lr = lr;
}

std::vector<Fault> optimizer_faults() {
  return {
      {"lr_of_10", "lr = 10 for AdamW", too_high, rate(10)},
      {"lr_of_1", "lr = 1 for AdamW", too_high, rate(1)},
      {"lr_of_a_tenth", "lr = 0.1 for AdamW", too_high, rate(0.1)},
      {"lr_of_1_without_guards", "lr = 1 for AdamW without clipping and warmup", too_high,
       [](Program& p) {
         p.options.lr = 1;
         p.options.clip_norm = train::off;
         p.options.warmup = train::off;
       }},
      {"lr_of_0_03_without_decay", "lr = 0.03 for AdamW to the last step, without a decay of the rate", too_high,
       [](Program& p) {
         p.options.lr = 0.03;
         p.options.decay = train::Decay::constant;
       }},
      {"outliers_without_clipping",
       "SGD without clipping, and 1 % of the training rows are 300 times too large",
       {"outliers", "divergence", "spike"},
       [](Program& p) {
         sgd(p, 0.05);
         p.options.clip_norm = train::off;
         const Index columns = p.train.columns();
         for (Index i = 7 * columns; i < p.train.x.size(); ++i)
           if (i / columns % 100 == 7) p.train.x.mutable_data()[i] *= 300;
       }},
      {"lr_of_1e_4", "lr = 1e-4 for a short run of AdamW", too_low, rate(1e-4)},
      {"lr_of_1e_5", "lr = 1e-5 for AdamW", too_low, rate(1e-5)},
      {"lr_of_1e_7", "lr = 1e-7 for AdamW", too_low, rate(1e-7)},
      {"sgd_with_rate_of_adam", "plain SGD with lr = 1e-4", too_low, [](Program& p) { sgd(p, 1e-4, {}); }},
      {"sgd_lr_of_10", "SGD with momentum and lr = 10", too_high, [](Program& p) { sgd(p, 10); }},
      {"linear_scaling_with_adam", "a rate of 5e-3 is scaled linearly to a batch of 512", too_high,
       [](Program& p) {
         p.options.lr = 2e-2;
         p.options.batch_size = 512;
         p.options.lr_scaling = train::LrScaling::linear;
       }},
      {"momentum_of_0_999",
       "SGD with a momentum of 0.999",
       {"momentum_too_high", "oscillation"},
       [](Program& p) { sgd(p, 0.05, {.momentum = 0.999}); }},
      {"betas_exchanged",
       "AdamW with beta1 = 0.999 and beta2 = 0.9",
       {"adam_betas"},
       [](Program& p) { adam(p, {.beta1 = 0.999, .beta2 = 0.9}); }},
      {"beta1_of_0_9999",
       "AdamW with beta1 = 0.9999",
       {"adam_betas"},
       [](Program& p) { adam(p, {.beta1 = 0.9999, .beta2 = 0.99999}); }},
      {"eps_of_1",
       "AdamW with eps = 1 and a given rate",
       {"adam_eps"},
       [](Program& p) {
         adam(p, {.eps = 1});
         p.options.lr = 1e-3;
       }},
      {"weight_decay_of_10",
       "a weight decay of 10",
       {"weight_decay_too_high"},
       [](Program& p) { p.options.weight_decay = 10; }},
      {"weight_decay_of_1_in_adam",
       "an L2 penalty of 1 in Adam",
       {"weight_decay_too_high"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::Adam>({});
         p.options.weight_decay = 1;
       }},
      {"decay_of_biases",
       "biases and norms decay too, by 2",
       {"weight_decay_too_high"},
       [](Program& p) {
         p.options.decay_exempt = false;
         p.options.weight_decay = 2;
       }},
      {"clip_norm_of_1e_6",
       "SGD with a clip norm of 1e-6",
       {"clip_too_small"},
       [](Program& p) {
         sgd(p, 0.05);
         p.options.clip_norm = 1e-6;
       }},
      {"clip_norm_of_1e_4_with_adam",
       "AdamW with a clip norm of 1e-4",
       {"clip_too_small"},
       [](Program& p) { p.options.clip_norm = 1e-4; }},
      {"whole_set_as_batch",
       "one batch is the whole training set",
       {"too_few_steps"},
       [](Program& p) { p.options.batch_size = p.train.rows(); }},
      {"accumulates_64_batches",
       "gradients of 64 batches are accumulated for one step",
       {"too_few_steps"},
       [](Program& p) { p.options.accumulate_grad_batches = 64; }},
      {"one_epoch", "one epoch", {"too_few_steps", "still_improving"}, [](Program& p) { p.options.epochs = 1; }},
      {"two_epochs_at_a_low_rate",
       "two epochs at a rate of 3e-4",
       {"too_few_steps", "still_improving"},
       [](Program& p) {
         p.options.epochs = 2;
         p.options.lr = 3e-4;
       }},
      {"limit_train_batches_left_on",
       "limit_train_batches = 2 is left from a test",
       {"limited_run"},
       [](Program& p) { p.options.limit_train_batches = 2; }},
      {"overfit_batches_left_on",
       "overfit_batches = 1 is left from a test",
       {"limited_run"},
       [](Program& p) { p.options.overfit_batches = 1; }},
      {"limit_val_batches_left_on",
       "limit_val_batches = 1 is left from a test",
       {"limited_run"},
       [](Program& p) { p.options.limit_val_batches = 1; },
       any,
       {},
       Harm::gap},
      {"fast_dev_run_left_on",
       "fast_dev_run is left from a test",
       {"limited_run"},
       [](Program& p) { p.options.fast_dev_run = true; }},
      {"max_seconds_left_on",
       "max_seconds = 1e-6 is left from a test: the run ends after a step",
       {"limited_run"},
       [](Program& p) { p.options.max_seconds = 1e-6; }},
  };
}

}  // namespace faulty_runs
