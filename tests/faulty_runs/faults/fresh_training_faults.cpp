// Optimizers, schedules and training loops of the part `fresh`.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

const std::vector<std::string> too_high{"lr_too_high", "divergence", "spike", "dead_units"};

// The rate of a step, from the given one, the step and the planned steps.
void schedule(Program& p, const std::function<double(double lr, double step, double planned)>& rate) {
  p.overrides.schedule = [rate](double lr, std::int64_t planned) {
    return [=](std::int64_t step) { return rate(lr, static_cast<double>(step), static_cast<double>(planned)); };
  };
}

std::vector<Fault> optimizers() {
  return {
      {"rate_of_0_2_with_batch_of_4", "lr = 0.2 for AdamW with batches of 4, not scaled", too_high,
       [](Program& p) {
         p.options.lr = 0.2;
         p.options.lr_scaling = train::LrScaling::none;
         p.options.batch_size = 4;
         p.options.epochs = (p.options.epochs + 2) / 3;
       }},
      {"nesterov_of_0_99_at_rate_1",
       "SGD with a Nesterov momentum of 0.99 and lr = 1",
       {"lr_too_high", "divergence", "spike", "dead_units", "momentum_too_high", "oscillation"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::SGD>({.momentum = 0.99, .nesterov = true});
         p.options.lr = 1;
       }},
      {"eps_of_0_1",
       "AdamW with eps = 0.1, as a recipe for large images has it, and lr = 5e-4",
       {"adam_eps"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::AdamW>({.eps = 0.1});
         p.options.lr = 5e-4;
       }},
      {"rate_and_decay_exchanged",
       "lr and weight decay are exchanged: 1e-5 and 3",
       {"lr_too_low", "slow_progress", "weight_decay_too_high"},
       [](Program& p) {
         p.options.lr = 1e-5;
         p.options.weight_decay = 3;
       }},
      {"decay_of_a_half_in_sgd",
       "SGD with momentum has a weight decay of 0.5",
       {"weight_decay_too_high"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
         p.options.lr = 0.02;
         p.options.weight_decay = 0.5;
       }},
      {"last_batch_dropped_of_two",
       "a batch is 60 % of the rows, and the rest is dropped: one step an epoch",
       {"too_few_steps"},
       [](Program& p) {
         p.options.batch_size = p.train.rows() * 3 / 5;
         p.options.drop_last = true;
       }},
  };
}

std::vector<Fault> schedules() {
  return {
      {"a_tenth_every_30_steps",
       "the rate is divided by 10 every 30 steps where 30 epochs were meant",
       {"schedule_ends_early"},
       [](Program& p) {
         schedule(p, [](double lr, double step, double) { return lr * std::pow(0.1, std::floor(step / 30)); });
       }},
      {"warmup_starts_again_each_epoch",
       "the steps of a warmup of 20 epochs are counted from 0 in each epoch",
       {"lr_too_low", "slow_progress", "warmup_too_long", "schedule_ends_early"},
       [](Program& p) {
         schedule(p, [epochs = static_cast<double>(p.options.epochs)](double lr, double step, double planned) {
           const double in_epoch = std::max(planned / epochs, 1.0);
           return lr * (1 + std::fmod(step, in_epoch)) / (20 * in_epoch);
         });
       }},
      {"one_cycle_up_to_1",
       "the rate rises to 1 in the middle of the run and falls again, for AdamW",
       {"lr_too_high", "divergence", "spike", "dead_units", "schedule_grows"},
       [](Program& p) {
         schedule(p, [](double, double step, double planned) {
           return 1e-3 + std::pow(std::sin(3.14159 * std::min(step / planned, 1.0)), 2);
         });
       }},
  };
}

std::vector<Fault> loops() {
  const auto sgd = [](const nn::Layer& model) {
    return std::make_unique<optim::SGD>(optim::decay_groups(model.parameters(), 0.0),
                                        optim::SGDOptions{.momentum = 0.9});
  };
  std::vector<Fault> list{
      in_own_loop("loss_times_100_with_sgd", "the loss is multiplied by 100 for the eye, and SGD has a rate of 0.05",
                  {"loss_scale", "lr_too_high", "divergence", "spike", "dead_units"},
                  [sgd](OwnLoop& loop, Program& p) {
                    p.options.lr = 0.05;
                    loop.optimizer = sgd;
                    loop.change_loss = [](const Tensor& loss) { return loss * 100.0; };
                  }),
      in_own_loop("targets_of_the_batch_before", "a batch is trained on with the targets of the batch before it",
                  {"unstable_data", "label_noise", "labels_shuffled", "labels_shifted", "no_better_than_baseline"},
                  [](OwnLoop& loop, Program&) {
                    const auto before = std::make_shared<Tensor>();
                    loop.change_batch = [before](const train::Batch& batch, Index) {
                      const Tensor own = batch.targets.clone();
                      if (before->defined() && before->size() == own.size())
                        std::ranges::copy(before->span(), batch.targets.mutable_data());
                      *before = own;
                    };
                  }),
      in_own_loop("number_of_batch_modulo_3",
                  "the number of the batch is taken modulo 3, so that 96 rows are trained on", {"repeated_rows"},
                  [](OwnLoop& loop, Program&) {
                    loop.shuffle = false;
                    loop.pick_batch = [](Index batch) { return batch % 3; };
                  }),
      in_own_loop("weights_shrunk_each_epoch", "weights are multiplied by 0.3 at the start of each epoch",
                  {"weights_overwritten"},
                  [](OwnLoop& loop, Program&) {
                    loop.before_epoch = [](const nn::Layer& model) {
                      for (const Parameter& p : model.parameters())
                        for (Scalar& w : p.tensor.mutable_span()) w *= Scalar(0.3);
                    };
                  }),
      in_own_loop("schedule_counts_rows", "the schedule gets the number of rows seen in place of the step",
                  {"schedule_ends_early"},
                  [](OwnLoop& loop, Program&) {
                    loop.schedule = [](double lr, std::int64_t planned) {
                      const auto usual = optim::warmup_cosine({.peak = lr, .total_steps = planned});
                      return [=](std::int64_t step) { return usual(std::min(32 * step, planned)); };
                    };
                  }),
      in_own_loop("inputs_in_bytes_in_the_loop", "the loop multiplies its inputs by 255, and use does not",
                  {"input_scale", "train_eval_gap"},
                  [](OwnLoop& loop, Program&) {
                    loop.change_batch = [](const train::Batch& batch, Index) {
                      for (Scalar& x : batch.inputs.mutable_span()) x *= 255;
                    };
                  }),
  };
  list.front().needs = classes;  // the loss of a regression overflows at once, and the update is refused
  return list;
}

}  // namespace

std::vector<FaultGroup> fresh_training_faults() {
  return {{"optimizer", optimizers()}, {"schedule", schedules()}, {"loop", loops()}};
}

}  // namespace faulty_runs
