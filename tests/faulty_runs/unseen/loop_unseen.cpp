// Training loops of the user's own, of the part `unseen`.
#include <algorithm>
#include <cmath>

#include "unseen/unseen.h"

namespace faulty_runs {

std::vector<Fault> unseen_loops() {
  return {
      in_own_loop(
          "u_zero_grad_every_eighth_step",
          "gradients of 8 batches were to be accumulated: zero_grad comes every 8 batches, but a step after each",
          {"gradients_accumulate"},
          [](OwnLoop& loop, Program& p) {
            loop.zero_grad = false;
            sgd(loop);
            p.options.lr = 0.05;
            loop.schedule = [](double lr, std::int64_t) { return optim::constant(lr); };
            const auto steps = std::make_shared<int>(0);
            loop.after_step = [steps](const nn::Layer& model) {
              if (++*steps % 8 != 0) return;
              for (const Parameter& w : model.parameters()) w.tensor.zero_grad();
            };
          }),
      in_own_loop("u_prefetched_too_early",
                  "a second thread refills the buffer of the inputs too early: the last three quarters of a batch are "
                  "those of another one, and its targets are not",
                  {"label_noise", "labels_shuffled", "labels_shifted", "unstable_data", "scrambled_inputs",
                   "no_better_than_baseline"},
                  [](OwnLoop& loop, Program&) {
                    const auto last = std::make_shared<Tensor>();
                    loop.change_batch = [last](const train::Batch& batch, Index) {
                      const Tensor now = batch.inputs.clone();
                      if (last->defined())
                        for (Index cell = now.size() / 4; cell < std::min(now.size(), last->size()); ++cell)
                          batch.inputs.mutable_data()[cell] = last->data()[cell];
                      *last = now;
                    };
                  }),
      in_own_loop("u_evaluation_mode_after_loading",
                  "the tape stays in evaluation mode, and a batch norm that was to normalise raw inputs does nothing",
                  {"eval_mode"},
                  [](OwnLoop& loop, Program& p) {
                    loop.mode = Mode::eval;
                    p.everywhere([](Table& t) { t.x = t.x * 20.0 + 60.0; });
                    p.make_model = [](const Program& q, Rng& rng) {
                      nn::Sequential model{nn::BatchNorm1d{q.train.columns()}};
                      model.push_back(mlp(q.widths(), rng));
                      return model;
                    };
                  }),
      in_own_loop("u_step_then_backward",
                  "the step stands before backward and zero_grad right after it, so that each update has the gradient "
                  "of the batch before",
                  {"step_before_backward"},
                  [](OwnLoop& loop, Program& p) {
                    loop.step_after_backward = false;
                    loop.zero_grad = false;
                    sgd(loop);
                    p.options.lr = 0.05;
                    loop.before_backward = [](const nn::Layer& model) {
                      for (const Parameter& w : model.parameters()) w.tensor.zero_grad();
                    };
                  },
                  {"gradient"}),
      in_own_loop("u_rate_of_an_integer_division", "the rate is 1 / 1000 in whole numbers, which is 0",
                  {"lr_too_low", "not_trained", "schedule_ends_early"},
                  [](OwnLoop& loop, Program&) {
                    loop.schedule = [](double, std::int64_t) -> optim::Schedule {
                      return [](std::int64_t) { return static_cast<double>(1 / 1000); };
                    };
                  }),
      in_own_loop("u_oldest_first",
                  "rows come in the order of a date that the targets follow, for SGD at a constant rate",
                  {"sorted_rows"},
                  [](OwnLoop& loop, Program& p) {
                    sgd(loop);
                    p.options.lr = 0.05;
                    loop.schedule = [](double lr, std::int64_t) { return optim::constant(lr); };
                    loop.shuffle = false;
                    Rng rng = p.rng(99);
                    std::vector<double> dates;
                    for (const Scalar y : p.train.y.span())
                      dates.push_back(static_cast<double>(y) + 0.3 * rng.normal());
                    std::vector<Index> order = numbers(p.train.rows());
                    std::ranges::sort(order, {}, [&](Index i) { return dates[static_cast<std::size_t>(i)]; });
                    p.train = pick(p.train, order);
                  }),
  };
}

}  // namespace faulty_runs
