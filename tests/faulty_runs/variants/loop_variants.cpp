// Training loops of the user's own, of the part `variants`.
#include <algorithm>
#include <map>

#include "variants/variants.h"

namespace faulty_runs {
namespace {

// Puts the training rows in the order of value(row), which is never shuffled.
void in_order_of(OwnLoop& loop, Program& p, const std::function<double(Index)>& value) {
  loop.shuffle = false;
  std::vector<Index> order = numbers(p.train.rows());
  std::ranges::stable_sort(order, {}, value);
  p.train = pick(p.train, order);
}

Fault in_loop_of(unsigned needs, const std::string& name, const std::string& planted,
                 const std::vector<std::string>& causes, const std::function<void(OwnLoop&, Program&)>& plant) {
  Fault fault = in_own_loop(name, planted, causes, plant);
  fault.needs = needs;
  return fault;
}

void at_a_constant_rate(OwnLoop& loop, Program& p, double lr) {
  sgd(loop);
  p.options.lr = lr;
  loop.schedule = [](double rate, std::int64_t) { return optim::constant(rate); };
}

}  // namespace

std::vector<Fault> loop_variants() {
  return {
      in_own_loop("zero_grad_once_an_epoch", "zero_grad stands before the loop over the batches",
                  {"gradients_accumulate"},
                  [](OwnLoop& loop, Program&) {
                    loop.zero_grad = false;
                    loop.before_epoch = [](const nn::Layer& model) {
                      for (const Parameter& w : model.parameters()) w.tensor.zero_grad();
                    };
                  }),
      in_own_loop("zero_grad_of_half_of_the_layers", "zero_grad is called for the last layer only",
                  {"gradients_accumulate"},
                  [](OwnLoop& loop, Program& p) {
                    loop.zero_grad = false;
                    sgd(loop);
                    p.options.lr = 0.02;
                    loop.after_step = [](const nn::Layer& model) {
                      const std::vector<Parameter> all = model.parameters();
                      for (auto w = all.end() - 2; w != all.end(); ++w) w->tensor.zero_grad();
                    };
                  },
                  {"zero_grad"}),
      in_own_loop("half_way_back_each_epoch", "each epoch begins with the mean of the weights and of the initial ones",
                  {"weights_overwritten"},
                  [](OwnLoop& loop, Program&) {
                    const auto kept = std::make_shared<std::map<std::string, Tensor>>();
                    loop.before_epoch = [kept](const nn::Layer& model) {
                      for (const Parameter& w : model.parameters()) {
                        const Tensor& old = kept->try_emplace(w.name, w.tensor.clone()).first->second;
                        for (Index i = 0; i < old.size(); ++i)
                          w.tensor.mutable_data()[i] = (w.tensor.data()[i] + old.data()[i]) / 2;
                      }
                    };
                  }),
      in_loop_of(classes, "folders_one_after_the_other",
                 "rows come folder by folder, one for each class, for SGD at a constant rate", {"sorted_rows"},
                 [](OwnLoop& loop, Program& p) {
                   at_a_constant_rate(loop, p, 0.05);
                   in_order_of(loop, p, [&](Index i) { return -static_cast<double>(p.train.y.data()[i]); });
                 }),
      in_loop_of(regression, "cheapest_first", "rows come in the order of their targets, for SGD at a constant rate",
                 {"sorted_rows"},
                 [](OwnLoop& loop, Program& p) {
                   at_a_constant_rate(loop, p, 0.05);
                   in_order_of(loop, p, [&](Index i) { return static_cast<double>(p.train.y.data()[i]); });
                 }),
      in_own_loop("targets_of_a_batch_reversed", "a stack is emptied for the targets: they come in the opposite order",
                  {"label_noise", "labels_shuffled", "no_better_than_baseline", "unstable_data"},
                  [](OwnLoop& loop, Program&) {
                    loop.change_batch = [](const train::Batch& batch, Index) {
                      std::ranges::reverse(batch.targets.mutable_span());
                    };
                  }),
      in_own_loop("adamw_at_one_half", "AdamW with a rate of 0.5", {"lr_too_high", "divergence", "spike", "dead_units"},
                  [](OwnLoop&, Program& p) { p.options.lr = 0.5; }),
      in_own_loop("adamw_at_5e_6", "AdamW with a rate of 5e-6", {"lr_too_low", "slow_progress"},
                  [](OwnLoop&, Program& p) { p.options.lr = 5e-6; }),
      in_own_loop("total_steps_of_one_epoch", "the schedule is told the steps of one epoch, and ends there",
                  {"schedule_ends_early"},
                  [](OwnLoop& loop, Program& p) {
                    loop.schedule = [epochs = p.options.epochs](double lr, std::int64_t planned) -> optim::Schedule {
                      const std::int64_t total = planned / epochs;
                      const auto one = optim::warmup_cosine({.peak = lr, .total_steps = total});
                      return [=](std::int64_t step) { return one(std::min(step, total)); };
                    };
                  }),
      in_own_loop("decay_group_of_20", "the groups of the optimizer have a weight decay of 20",
                  {"weight_decay_too_high"},
                  [](OwnLoop& loop, Program&) {
                    loop.optimizer = [](const nn::Layer& model) {
                      return std::make_unique<optim::AdamW>(optim::decay_groups(model.parameters(), 20));
                    };
                  }),
      in_loop_of(classes, "softmax_in_the_loop", "the model ends in a softmax or sigmoid before its loss, with SGD",
                 {"activation_before_loss"},
                 [](OwnLoop& loop, Program& p) {
                   sgd(loop);
                   p.options.lr = 0.02;
                   p.loss = train::Loss(
                       [loss = p.loss, many = p.outputs > 1](const Tensor& y, const Tensor& t) {
                         return loss(many ? softmax(y) : sigmoid(y), t);
                       },
                       p.kind);
                 }),
      in_loop_of(regression, "predictions_squeezed", "predictions [N] are compared with targets [N, 1]",
                 {"broadcast_loss", "rows_mixed"},
                 [](OwnLoop&, Program& p) {
                   p.loss = train::Loss(
                       [](const Tensor& y, const Tensor& t) { return mean(square(reshape(y, {y.size()}) - t)); },
                       p.kind);
                 }),
      in_own_loop(
          "sum_of_the_batch_with_sgd", "the loss is the sum over the batch, for SGD with a rate of 0.03", {"sum_loss"},
          [](OwnLoop& loop, Program& p) {
            sgd(loop);
            p.options.lr = 0.03;
            p.loss =
                train::Loss([loss = p.loss](const Tensor& y,
                                            const Tensor& t) { return loss(y, t) * static_cast<double>(t.shape()[0]); },
                            p.kind);
          }),
  };
}

}  // namespace faulty_runs
