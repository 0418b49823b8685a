// Training loops of the user's own.
#include <algorithm>
#include <cmath>
#include <map>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

void sort_by_target(Program& p) {
  std::vector<Index> order = numbers(p.train.rows());
  std::ranges::stable_sort(order, {}, [&](Index i) { return p.train.y.data()[i]; });
  p.train = pick(p.train, order);
}

}  // namespace

Fault in_own_loop(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
                  const std::function<void(OwnLoop&, Program&)>& plant, const std::vector<std::string>& refusal) {
  return {.name = name,
          .planted = planted,
          .causes = causes,
          .plant = [plant](Program& p) { plant(*p.own_loop, p); },
          .refusal = refusal,
          .own_loop = true,
          .alone = true};
}

std::vector<Fault> loop_faults() {
  return {
      in_own_loop("zero_grad_forgotten", "zero_grad is never called", {"gradients_accumulate"},
                  [](OwnLoop& loop, Program&) { loop.zero_grad = false; }),
      in_own_loop("zero_grad_forgotten_with_sgd", "zero_grad is never called, with SGD at a constant rate",
                  {"gradients_accumulate"},
                  [](OwnLoop& loop, Program& p) {
                    loop.zero_grad = false;
                    p.options.lr = 0.05;
                    loop.optimizer = [](const nn::Layer& model) {
                      return std::make_unique<optim::SGD>(optim::decay_groups(model.parameters(), 0.0));
                    };
                  }),
      in_own_loop("step_before_backward", "the optimizer steps before the first backward", {"step_before_backward"},
                  [](OwnLoop& loop, Program&) { loop.step_after_backward = false; }, {"parameter with a gradient"}),
      in_own_loop("rows_in_order_of_class", "rows are sorted by target and never shuffled", {"sorted_rows"},
                  [](OwnLoop& loop, Program& p) {
                    loop.shuffle = false;
                    sort_by_target(p);
                  }),
      in_own_loop("same_batch_again", "the loop trains on its first batch only", {"repeated_rows"},
                  [](OwnLoop& loop, Program&) {
                    loop.shuffle = false;
                    loop.pick_batch = [](Index) { return 0; };
                  }),
      in_own_loop("evaluation_mode_left_on",
                  "the tape is in evaluation mode, and a batch norm never learns its statistics", {"eval_mode"},
                  [](OwnLoop& loop, Program& p) {
                    loop.mode = Mode::eval;
                    p.everywhere([](Table& t) { t.x = t.x * 30.0 + 100.0; });
                    p.make_model = [](const Program& q, Rng& rng) {
                      nn::Sequential model{nn::BatchNorm1d{q.train.columns()}};
                      model.push_back(mlp(q.widths(), rng));
                      return model;
                    };
                  }),
      in_own_loop("new_optimizer_each_step", "the optimizer is made in the loop, and forgets its moments",
                  {"optimizer_reset"}, [](OwnLoop& loop, Program&) { loop.new_optimizer_each_step = true; }),
      in_own_loop("weights_loaded_each_epoch", "the initial weights are loaded at the start of each epoch",
                  {"weights_overwritten"},
                  [](OwnLoop& loop, Program&) {
                    const auto kept = std::make_shared<std::map<std::string, Tensor>>();
                    loop.before_epoch = [kept](const nn::Layer& model) {
                      for (const Parameter& p : model.parameters()) {
                        const auto [it, first] = kept->try_emplace(p.name, p.tensor.clone());
                        if (!first) std::ranges::copy(it->second.span(), p.tensor.mutable_data());
                      }
                    };
                  }),
      in_own_loop("weights_written_after_step", "weights are rounded to tenths after each step",
                  {"weights_overwritten"},
                  [](OwnLoop& loop, Program&) {
                    loop.after_step = [](const nn::Layer& model) {
                      for (const Parameter& p : model.parameters())
                        for (Scalar& w : p.tensor.mutable_span()) w = std::round(w * 10) / 10;
                    };
                  }),
      in_own_loop("weights_written_before_backward", "weights are written between forward and backward",
                  {"weights_overwritten"},
                  [](OwnLoop& loop, Program&) {
                    loop.before_backward = [](const nn::Layer& model) {
                      for (const Parameter& p : model.parameters())
                        for (Scalar& w : p.tensor.mutable_span()) w *= Scalar(0.99);
                    };
                  },
                  {"written to"}),
      in_own_loop("inputs_shuffled_in_place", "the inputs of each batch are shuffled in place, its targets are not",
                  {"unstable_data", "label_noise", "labels_shuffled"},
                  [](OwnLoop& loop, Program& p) {
                    loop.change_batch = [seed = p.seed](const train::Batch& batch, Index number) {
                      Rng rng(seed + static_cast<std::uint64_t>(number));
                      const Table all{batch.inputs, batch.targets};
                      std::ranges::copy(pick(all, shuffled(all.rows(), rng)).x.span(), batch.inputs.mutable_data());
                    };
                  }),
      in_own_loop("schedule_asked_for_the_epoch", "the schedule gets the number of the epoch, not of the step",
                  {"lr_too_low", "schedule_ends_early", "slow_progress"},
                  [](OwnLoop& loop, Program& p) {
                    loop.schedule = [epochs = p.options.epochs](double lr, std::int64_t planned) -> optim::Schedule {
                      const auto by_step =
                          optim::warmup_cosine({.peak = lr, .warmup_steps = planned / 2, .total_steps = planned});
                      return [=](std::int64_t step) { return by_step(1 + step * epochs / planned); };
                    };
                  }),
      in_own_loop("one_step_per_epoch", "the step stands after the loop over the batches", {"too_few_steps"},
                  [](OwnLoop& loop, Program& p) { loop.batches_per_step = (p.train.rows() + 31) / 32; }),
      in_own_loop("loss_detached", "the loss is detached before backward", {"loss_constant"},
                  [](OwnLoop& loop, Program&) { loop.change_loss = [](const Tensor& loss) { return loss.detach(); }; },
                  {"detached"}),
      in_own_loop("loss_negated", "the loop maximises the loss", {"loss_sign"},
                  [](OwnLoop& loop, Program&) { loop.change_loss = [](const Tensor& loss) { return -loss; }; }),
      in_own_loop("dropout_without_position", "a model with dropout and a tape without a random position",
                  {"random_position"},
                  [](OwnLoop& loop, Program& p) {
                    loop.random_position = false;
                    p.append<nn::Dropout>([] { return nn::Dropout{0.5}; });
                  },
                  {"random streams"}),
      in_own_loop("nan_in_own_loop", "a row with NaN in a loop of one's own", {"non_finite"},
                  [](OwnLoop& loop, Program&) {
                    loop.change_batch = [](const train::Batch& batch, Index number) {
                      if (number == 3) batch.inputs.mutable_data()[2] = std::nanf("");
                    };
                  },
                  {"finite", "NaN"}),
      in_own_loop("layer_missing_in_optimizer", "the optimizer gets the last layer only", {"not_trained"},
                  [](OwnLoop& loop, Program& p) {
                    p.hidden = {8, 8};
                    loop.optimizer = [](const nn::Layer& model) {
                      const std::vector<Parameter> all = model.parameters();
                      return std::make_unique<optim::AdamW>(optim::decay_groups({all.end() - 2, all.end()}, 0.01));
                    };
                  }),
  };
}

}  // namespace faulty_runs
