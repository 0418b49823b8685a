// Training and validation sets, of the part `variants`. Most do harm by what the run reports.
#include <cmath>

#include "variants/variants.h"

namespace faulty_runs {

std::vector<Fault> split_variants() {
  return {
      fault_of_reports("crops_of_one_image",
                       "each row gives six, brighter or darker by up to 4 %, before the library splits the data",
                       {"near_duplicates", "duplicate_rows"},
                       [](Program& p) {
                         Rng rng = p.rng(70);
                         Table all = pick(p.train, numbers(p.train.rows() / 5));
                         const Table once = all;
                         for (int i = 0; i < 5; ++i) all = join(all, once);
                         for (Index i = 0; i < all.rows(); ++i) {
                           const auto brighter = static_cast<Scalar>(rng.uniform(0.96, 1.04));
                           for (Index j = 0; j < all.columns(); ++j) at(all.x, i, j) *= brighter;
                         }
                         p.train = all;
                         p.own_split = false;
                       }),
      fault_of_reports("bootstrap_as_validation", "the validation set is drawn from all rows with replacement",
                       {"duplicate_rows"},
                       [](Program& p) {
                         Rng rng = p.rng(71);
                         p.train = pick(p.train, numbers(p.train.rows() / 4));
                         p.hidden = {128, 128};
                         const Table all = join(p.train, p.train);
                         std::vector<Index> drawn;
                         for (Index i = 0; i < p.validation.rows(); ++i)
                           drawn.push_back(static_cast<Index>(rng.below(static_cast<std::uint64_t>(all.rows()))));
                         p.validation = pick(all, drawn);
                       }),
      fault_of_reports("validation_of_the_next_year",
                       "prices have risen: half of the validation columns are 1.5 deviations higher",
                       {"validation_drift"},
                       [](Program& p) {
                         cells(p.validation, [](Scalar& x, Index, Index j) { x += j % 2 == 0 ? Scalar(1.5) : 0; });
                       }),
      fault_of_reports("validation_in_raw_columns",
                       "training columns are standardised, validation columns have each their own mean and deviation",
                       {"validation_drift"},
                       [](Program& p) {
                         Rng rng = p.rng(72);
                         std::vector<Scalar> mean, deviation;
                         for (Index j = 0; j < p.validation.columns(); ++j) {
                           mean.push_back(static_cast<Scalar>(rng.uniform(-3, 6)));
                           deviation.push_back(static_cast<Scalar>(std::exp(rng.uniform(-2, 2))));
                         }
                         cells(p.validation, [&](Scalar& x, Index, Index j) {
                           x = x * deviation[static_cast<std::size_t>(j)] + mean[static_cast<std::size_t>(j)];
                         });
                       }),
      fault_of_reports("columns_one_further_in_validation",
                       "the validation file has an index column in front, so that each column is the one before it",
                       {"columns_permuted", "validation_drift"},
                       [](Program& p) {
                         const Tensor x = p.validation.x.clone();
                         const Index columns = p.validation.columns();
                         cells(p.validation, [&](Scalar& v, Index i, Index j) {
                           v = x.at({i, (j + columns - 1) % columns});
                         });
                       }),
      fault_of_reports(
          "two_classes_exchanged_in_validation",
          "the validation set was encoded anew, in which classes 0 and 1 have exchanged their numbers",
          {"labels_recoded"},
          [](Program& p) { targets(p.validation, [](Scalar& y, Index) { y = y < 2 ? 1 - y : y; }); }, classes),
  };
}

}  // namespace faulty_runs
