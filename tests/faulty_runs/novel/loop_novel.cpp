// Training loops of the user's own, of the part `novel`.
#include <algorithm>
#include <cmath>

#include "novel/novel.h"

namespace faulty_runs {
namespace {

void at_a_constant_rate(OwnLoop& loop, Program& p, double lr, double momentum) {
  sgd(loop, momentum);
  p.options.lr = lr;
  loop.schedule = [](double rate, std::int64_t) { return optim::constant(rate); };
}

// Brings the columns of these rows to mean 0 and deviation 1.
void standardise(const Tensor& x) {
  const Tensor centred = x - mean(x, 0, true);
  const Tensor scaled = centred / sqrt(mean(square(centred), 0, true) + 1e-5);
  std::ranges::copy(scaled.span(), x.mutable_data());
}

}  // namespace

std::vector<Fault> novel_loops() {
  return {
      in_own_loop("n_iterator_advanced_every_tenth_step",
                  "the next batch is fetched in the branch that prints, every tenth step, and rows are not shuffled",
                  {"repeated_rows"},
                  [](OwnLoop& loop, Program&) {
                    loop.shuffle = false;
                    loop.pick_batch = [](Index batch) { return batch / 10 * 10; };
                  }),
      in_own_loop("n_targets_of_the_first_batch",
                  "the buffer of the targets is filled once, before the loop: all batches have those of the first one",
                  {"label_noise", "labels_shuffled", "labels_shifted", "unstable_data"},
                  [](OwnLoop& loop, Program&) {
                    const auto kept = std::make_shared<Tensor>();
                    loop.change_batch = [kept](const train::Batch& batch, Index) {
                      if (!kept->defined()) *kept = batch.targets.clone();
                      std::copy_n(kept->data(), std::min(kept->size(), batch.targets.size()),
                                  batch.targets.mutable_data());
                    };
                  }),
      in_own_loop("n_half_of_the_targets_not_copied",
                  "16 of 32 targets are copied, the size of an earlier batch, and the others stay 0",
                  {"label_noise", "unstable_data", "repeated_target", "class_imbalance"},
                  [](OwnLoop& loop, Program&) {
                    loop.change_batch = [](const train::Batch& batch, Index) {
                      for (Index i = 16; i < batch.targets.size(); ++i) batch.targets.mutable_data()[i] = 0;
                    };
                  }),
      in_own_loop("n_batches_standardised_in_the_loop",
                  "the loop standardises each batch of raw inputs by its own mean and deviation, and use does not",
                  {"train_eval_gap", "unstable_data"},
                  [](OwnLoop& loop, Program& p) {
                    p.everywhere([](Table& t) { t.x = t.x * 3.0 + 5.0; });
                    loop.change_batch = [](const train::Batch& batch, Index) { standardise(batch.inputs); };
                  }),
      in_own_loop("n_batches_of_equal_targets",
                  "rows are put together by their target, so that each batch has one class or one price, in random "
                  "order, for SGD at a constant rate",
                  {"sorted_rows"},
                  [](OwnLoop& loop, Program& p) {
                    at_a_constant_rate(loop, p, 0.05, 0.9);
                    std::vector<Index> order = numbers(p.train.rows());
                    std::ranges::stable_sort(order, {}, [&](Index i) { return p.train.y.data()[i]; });
                    p.train = pick(p.train, order);
                    loop.shuffle = false;
                    const auto batches = static_cast<std::uint64_t>((p.train.rows() + 31) / 32);
                    loop.pick_batch = [rng = std::make_shared<Rng>(p.rng(115)), batches](Index) {
                      return static_cast<Index>(rng->below(batches));
                    };
                  }),
      in_own_loop("n_momentum_lost_at_each_step",
                  "SGD with a momentum of 0.99 and a rate of 0.0005 is made anew in each step, and has no momentum",
                  {"optimizer_reset", "lr_too_low"},
                  [](OwnLoop& loop, Program& p) {
                    at_a_constant_rate(loop, p, 5e-4, 0.99);
                    loop.new_optimizer_each_step = true;
                  }),
  };
}

}  // namespace faulty_runs
