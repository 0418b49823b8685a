// Labels, targets and splits, of the part `novel`.
#include <algorithm>
#include <cmath>
#include <map>

#include "novel/novel.h"

namespace faulty_runs {

std::vector<Fault> novel_labels() {
  return {
      {"n_classes_told_apart_later",
       "in the older 60 % of the training rows class 1 still counted as class 0, and class 3 as class 2",
       {"label_noise", "labels_recoded", "two_regimes", "class_imbalance"},
       [](Program& p) {
         targets(p.train, [&](Scalar& y, Index i) {
           if (share(i, p.train) < 0.6) y = 2 * std::floor(y / 2);
         });
       },
       multiclass},
      {"n_targets_smoothed",
       "the targets are moving means over five rows, as for a series, although the rows have no order",
       {"label_noise", "labels_shifted", "labels_shuffled"},
       [](Program& p) {
         p.known([](Table& t) {
           const Tensor y = t.y.clone();
           targets(t, [&](Scalar& mean, Index i) {
             const Index from = std::max<Index>(0, i - 2), to = std::min(t.rows(), i + 3);
             mean = 0;
             for (Index j = from; j < to; ++j) mean += y.data()[j] / static_cast<Scalar>(to - from);
           });
         });
       },
       regression},
      {"n_joined_by_a_rounded_key",
       "targets are joined by the first column, rounded to tenths, and the first row with this key is taken",
       {"label_noise", "labels_shuffled"},
       [](Program& p) {
         p.known([](Table& t) {
           std::map<Scalar, Scalar> found;
           targets(t,
                   [&](Scalar& y, Index i) { y = found.try_emplace(std::round(10 * at(t.x, i, 0)), y).first->second; });
         });
       }},
  };
}

std::vector<Fault> novel_splits() {
  return {
      fault_of_reports("n_one_reading_a_second",
                       "each state was read six times, and only the last column changed; the library splits the rows",
                       {"near_duplicates", "duplicate_rows"},
                       [](Program& p) {
                         Rng rng = p.rng(114);
                         const Table once = pick(p.train, numbers(p.train.rows() / 6));
                         Table all = once;
                         for (int reading = 1; reading < 6; ++reading) all = join(all, once);
                         for (Index i = 0; i < all.rows(); ++i)
                           at(all.x, i, all.columns() - 1) = static_cast<Scalar>(rng.normal());
                         p.train = all;
                         p.own_split = false;
                       }),
      fault_of_reports("n_validation_saved_in_bytes",
                       "the validation inputs were saved as bytes of -1 to 1, which cut off all that is beyond",
                       {"validation_drift", "truncated_columns"},
                       [](Program& p) {
                         cells(p.validation, [](Scalar& x, Index, Index) {
                           x = std::round(127 * std::clamp(x, Scalar(-1), Scalar(1))) / 127;
                         });
                       }),
      fault_of_reports(
          "n_validation_inputs_sorted",
          "the validation inputs were sorted by their first column to look at them, their targets were not",
          {"labels_recoded", "labels_shifted", "labels_shuffled", "scrambled_inputs"},
          [](Program& p) {
            std::vector<Index> order = numbers(p.validation.rows());
            std::ranges::sort(order, {}, [&](Index i) { return at(p.validation.x, i, 0); });
            p.validation.x = pick(p.validation, order).x;
          }),
      fault_of_reports("n_one_percent_for_validation",
                       "the library is told to hold 1 % of the rows out, as one does with millions of rows",
                       {"small_validation_set"},
                       [](Program& p) {
                         p.own_split = false;
                         p.options.validation_split = 0.01;
                         p.validation = pick(p.validation, numbers(p.train.rows() / 100));
                       }),
  };
}

}  // namespace faulty_runs
