// Data and columns of the part `fresh`.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

std::vector<Fault> rows_and_values() {
  return {
      {"normalised_twice",
       "inputs that are normalised already are normalised again, by a mean of 50 and a deviation of 20",
       {"input_scale"},
       [](Program& p) { p.everywhere([](Table& t) { t.x = (t.x - 50.0) / 20.0; }); }},
      {"missing_filled_with_zero",
       "40 % of the cells of every second column are missing, filled with 0",
       {"coded_missing"},
       [](Program& p) {
         Rng rng = p.rng(30);
         p.everywhere([&](Table& t) {
           cells(t, [&](Scalar& x, Index, Index j) { x = j % 2 == 0 && rng.uniform() < 0.4 ? 0 : x; });
         });
       }},
      {"sensor_stuck",
       "in the last 60 % of the training rows every second column repeats its last value",
       {"coded_missing", "validation_drift"},
       [](Program& p) {
         const Index since = p.train.rows() * 2 / 5;
         cells(p.train, [&](Scalar& x, Index i, Index j) {
           if (j % 2 == 0 && i > since) x = p.train.x.at({since, j});
         });
       }},
      {"clipped_to_0_1",
       "standardised inputs are clipped to [0, 1], as pixels are",
       {"truncated_columns"},
       [](Program& p) { p.everywhere([](Table& t) { t.x = clamp(t.x, 0, 1); }); }},
      {"values_sorted_in_each_row",
       "a sort along the wrong axis puts the values of each row in ascending order",
       {"scrambled_inputs"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           for (Index i = 0; i < t.rows(); ++i)
             std::sort(t.x.mutable_data() + i * t.columns(), t.x.mutable_data() + (i + 1) * t.columns());
         });
       }},
      {"columns_sorted_one_by_one",
       "each column of the inputs is sorted by itself, the targets are not",
       {"scrambled_inputs", "label_noise", "labels_shuffled", "no_better_than_baseline"},
       [](Program& p) {
         p.known([](Table& t) {
           const Tensor by_column = transpose(t.x).clone();
           for (Index j = 0; j < t.columns(); ++j)
             std::sort(by_column.mutable_data() + j * t.rows(), by_column.mutable_data() + (j + 1) * t.rows());
           t.x = transpose(by_column).clone();
         });
       }},
      {"files_with_other_column_orders",
       "the last 45 % of the training rows are from a file whose columns come in another order",
       {"scrambled_inputs", "columns_permuted"},
       [](Program& p) {
         const Tensor x = p.train.x.clone();
         const Index columns = p.train.columns();
         cells(p.train, [&](Scalar& v, Index i, Index j) {
           if (i > p.train.rows() * 55 / 100) v = x.at({i, (j + columns / 2) % columns});
         });
       }},
      {"units_changed_midway",
       "the first third of the columns is 25 times larger in the second half of the training rows",
       {"mixed_units", "outliers", "validation_drift"},
       [](Program& p) {
         cells(p.train, [&](Scalar& x, Index i, Index j) {
           if (3 * j < p.train.columns() && 2 * i > p.train.rows()) x *= 25;
         });
       }},
      {"failed_rows_as_zeros",
       "60 % of the training rows could not be read: their inputs are all 0",
       {"coded_missing", "conflicting_labels", "repeated_rows", "validation_drift"},
       [](Program& p) { cells(p.train, [](Scalar& x, Index i, Index) { x = i % 5 < 3 ? 0 : x; }); }},
      {"one_buffer_for_eight_rows",
       "a reader returns one buffer again and again, so that eight training rows have the inputs of the last of them",
       {"conflicting_labels", "scrambled_inputs", "label_noise", "labels_shifted"},
       [](Program& p) {
         const Tensor x = p.train.x.clone();
         cells(p.train, [&](Scalar& v, Index i, Index j) {
           v = x.at({std::min(i / 8 * 8 + 7, p.train.rows() - 1), j});
         });
       }},
  };
}

std::vector<Fault> columns() {
  return {
      {"unix_time_column",
       "a column has the time in seconds since 1970, one minute later in each row",
       {"large_offset", "input_scale", "identifier_column"},
       [](Program& p) {
         double seconds = 1.7e9;
         p.everywhere([&](Table& t) { add_column(t, [&](Index) { return seconds += 60; }); });
       }},
      {"one_hot_customers",
       "the number of one of 300 customers is one-hot, and the columns are standardised",
       {"noise_columns", "identifier_column", "overfitting"},
       [](Program& p) {
         Rng rng = p.rng(31);
         p.everywhere([&](Table& t) {
           const Tensor one_hot = Tensor::zeros({t.rows(), 300});
           for (Index i = 0; i < t.rows(); ++i)
             one_hot.mutable_data()[300 * i + static_cast<Index>(rng.below(300))] = 17;
           t.x = cat({t.x, one_hot}, 1);
         });
       }},
      {"ratios_over_nearly_zero",
       "every second column is divided by the next one, which may be near 0",
       {"outliers", "input_scale"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [&](Scalar& x, Index i, Index j) {
             if (j % 2 == 0 && j + 1 < t.columns()) x /= t.x.at({i, j + 1}) + Scalar(1e-4);
           });
         });
       }},
      {"target_mean_of_three_rows",
       "a category of three rows each is encoded by the mean of their targets, the row's own included",
       {"label_leak"},
       [](Program& p) {
         leak(p, [](const Table& t, Index i) {
           const Index first = std::min(i / 3 * 3, t.rows() - 3);
           const Scalar* y = t.y.data();
           return static_cast<double>(y[first] + y[first + 1] + y[first + 2]) / 3;
         });
       },
       any,
       {},
       Harm::gap},
      {"difference_of_two_columns_is_the_target",
       "a start and an end are columns, and the target is their difference; in use the end is not known",
       {"label_leak"},
       [](Program& p) {
         Rng rng = p.rng(32);
         leak(p, [&](const Table&, Index) { return rng.normal(); });
         leak(p, [](const Table& t, Index i) {
           return static_cast<double>(t.x.at({i, t.columns() - 1}) + t.y.data()[i]);
         });
       },
       any,
       {},
       Harm::gap},
  };
}

}  // namespace

std::vector<FaultGroup> fresh_data_faults() { return {{"data", rows_and_values()}, {"columns", columns()}}; }

}  // namespace faulty_runs
