// Labels, targets and splits, of the part `unseen`.
#include <algorithm>
#include <cmath>

#include "unseen/unseen.h"

namespace faulty_runs {

std::vector<Fault> unseen_labels() {
  return {
      {"u_scale_reversed_by_one_annotator",
       "one of three annotators used the scale the other way round, in every third training row",
       {"label_noise", "labels_recoded", "two_regimes"},
       [](Program& p) {
         const auto last = static_cast<Scalar>(count_of_classes(p) - 1);
         targets(p.train, [&](Scalar& y, Index i) { y = i % 3 == 1 ? last - y : y; });
       },
       classes},
      {"u_targets_no_longer_logarithms",
       "the targets are logarithms in the first 60 % of the training rows, and plain in the newer ones",
       {"two_regimes", "mixed_units", "outlier_targets", "target_drift"},
       [](Program& p) { targets(p.train, [&](Scalar& y, Index i) { y = share(i, p.train) < 0.6 ? y : std::exp(y); }); },
       regression},
      {"u_signs_of_targets_lost",
       "60 % of the targets have lost their minus signs, as a reader of text did not know one of two kinds of dashes",
       {"label_noise", "two_regimes"},
       [](Program& p) {
         Rng rng = p.rng(96);
         p.known([&](Table& t) { targets(t, [&](Scalar& y, Index) { y = rng.uniform() < 0.6 ? std::abs(y) : y; }); });
       },
       regression},
  };
}

std::vector<Fault> unseen_splits() {
  return {
      fault_of_reports(
          "u_monthly_exports_overlap",
          "an export of each month has all months before it too, all are joined, and the library splits the rows",
          {"duplicate_rows"},
          [](Program& p) {
            const Table once = pick(p.train, numbers(p.train.rows() / 4));
            Table all = once;
            for (Index month = 1; month < 8; ++month)
              all = join(all, pick(once, numbers(once.rows() * (8 - month) / 8)));
            p.train = all;
            p.own_split = false;
          }),
      fault_of_reports(
          "u_new_rows_between_old_ones_before_the_split",
          "before the split, each row gives four more by mixing in up to a fifth of another row of its class",
          {"near_duplicates", "duplicate_rows"},
          [](Program& p) {
            Rng rng = p.rng(97);
            const Table once = pick(p.train, numbers(p.train.rows() / 5));
            Table all = once;
            for (int round = 0; round < 4; ++round) {
              const Table more{once.x.clone(), once.y.clone()};
              for (Index i = 0; i < more.rows(); ++i) {
                Index other = i;
                for (int tries = 0; tries < 40 && (other == i || once.y.data()[other] != once.y.data()[i]); ++tries)
                  other = static_cast<Index>(rng.below(static_cast<std::uint64_t>(once.rows())));
                if (once.y.data()[other] != once.y.data()[i]) other = i;
                const auto to = static_cast<Scalar>(rng.uniform(0, 0.2));
                for (Index j = 0; j < more.columns(); ++j)
                  at(more.x, i, j) += to * (once.x.at({other, j}) - once.x.at({i, j}));
              }
              all = join(all, more);
            }
            p.train = all;
            p.own_split = false;
          },
          classes),
      fault_of_reports("u_two_columns_exchanged_in_validation",
                       "the first and the third column are exchanged in the file of the validation rows",
                       {"columns_permuted"},
                       [](Program& p) {
                         for (Index i = 0; i < p.validation.rows(); ++i)
                           std::swap(at(p.validation.x, i, 0), at(p.validation.x, i, 2));
                       }),
      fault_of_reports("u_one_validation_row_again_and_again",
                       "a reader fills the validation set with its first row, so that all metrics are of this row",
                       {"small_validation_set", "target_drift", "validation_drift", "repeated_rows", "missing_class"},
                       [](Program& p) {
                         p.validation = pick(
                             p.validation, std::vector<Index>(static_cast<std::size_t>(p.validation.rows()), Index{0}));
                       }),
  };
}

}  // namespace faulty_runs
