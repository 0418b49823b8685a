// Labels and splits of the part `fresh`.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

const std::vector<std::string> unlearnable{"label_noise", "labels_shuffled", "labels_shifted",
                                           "no_better_than_baseline"};

// Calls edit(value, row) for every target.
void targets(Table& table, const std::function<void(Scalar&, Index)>& edit) {
  for (Index i = 0; i < table.rows(); ++i) edit(table.y.mutable_data()[i], i);
}

// Keeps the rows for which `kept` says so.
void keep(Table& table, const std::function<bool(Index)>& kept) {
  std::vector<Index> rows = numbers(table.rows());
  std::erase_if(rows, [&](Index i) { return !kept(i); });
  table = pick(table, rows);
}

Scalar label(const Table& table, Index row) { return table.y.data()[row]; }
double classes_of(const Program& p) { return p.kind == train::Task::binary ? 2 : static_cast<double>(p.outputs); }

std::vector<Fault> labels() {
  return {
      {"second_file_counts_from_another_class",
       "in the second half of the training rows each class has the number of the next",
       {"label_noise", "labels_recoded"},
       [](Program& p) {
         targets(p.train, [&](Scalar& y, Index i) {
           if (2 * i > p.train.rows()) y = static_cast<Scalar>(std::fmod(static_cast<double>(y) + 1, classes_of(p)));
         });
       },
       classes},
      {"classes_read_as_true_and_false",
       "class numbers go through a bool, and come out as 0 and 1",
       {"missing_class"},
       [](Program& p) { p.known([](Table& t) { targets(t, [](Scalar& y, Index) { y = y != 0 ? 1 : 0; }); }); },
       multiclass},
      {"unlabelled_rows_as_class_0",
       "half of the rows have no label yet, and are of class 0",
       {"label_noise", "class_imbalance"},
       [](Program& p) { p.known([](Table& t) { targets(t, [](Scalar& y, Index i) { y = i % 2 == 0 ? 0 : y; }); }); },
       classes},
      {"missing_targets_filled_forward", "60 % of the targets are missing, filled with the one before", unlearnable,
       [](Program& p) {
         Rng rng = p.rng(33);
         p.known([&](Table& t) {
           targets(t, [&](Scalar& y, Index i) {
             if (i > 0 && rng.uniform() < 0.6) y = label(t, i - 1);
           });
         });
       }},
      {"targets_sorted", "the training targets are sorted, and their inputs are not", unlearnable,
       [](Program& p) {
         p.own_split = false;
         std::sort(p.train.y.mutable_data(), p.train.y.mutable_data() + p.train.rows());
       }},
      {"targets_at_the_limit_of_the_scale",
       "the scale ends at the mean: higher targets have its last value",
       {"repeated_target", "truncated_targets"},
       [](Program& p) { p.known([](Table& t) { t.y = clamp(t.y, -1e9, 0); }); },
       regression},
      {"some_targets_in_percent",
       "every fifth target of training and validation is 100 times larger",
       {"outlier_targets", "outliers", "mixed_units", "target_scale"},
       [](Program& p) { p.known([](Table& t) { targets(t, [](Scalar& y, Index i) { y *= i % 5 == 0 ? 100 : 1; }); }); },
       regression},
  };
}

std::vector<Fault> splits() {
  return {
      {"patients_in_both_sets",
       "each patient has eight rows that differ by a seventh of the spread, and the library splits rows",
       {"near_duplicates", "duplicate_rows"},
       [](Program& p) {
         Rng rng = p.rng(34);
         p.train = pick(p.train, numbers(p.train.rows() / 6));
         for (int i = 0; i < 3; ++i) p.train = join(p.train, p.train);
         cells(p.train, [&](Scalar& x, Index, Index) { x += static_cast<Scalar>(0.15 * rng.normal()); });
         p.own_split = false;
       },
       any,
       {},
       Harm::gap},
      {"validation_scaled_by_its_range",
       "each column of the validation set is brought to [0, 1], those of training have mean 0 and deviation 1",
       {"validation_drift"},
       [](Program& p) {
         std::vector<Scalar> low(static_cast<std::size_t>(p.validation.columns()), 1e9F), high(low.size(), -1e9F);
         cells(p.validation, [&](Scalar& x, Index, Index column) {
           const auto j = static_cast<std::size_t>(column);
           low[j] = std::min(low[j], x), high[j] = std::max(high[j], x);
         });
         cells(p.validation, [&](Scalar& x, Index, Index column) {
           const auto j = static_cast<std::size_t>(column);
           x = (x - low[j]) / (high[j] - low[j]);
         });
       },
       any,
       {},
       Harm::gap},
      {"training_rows_of_one_site",
       "all training rows are from a site where the first two columns are below 0",
       {"validation_drift"},
       [](Program& p) {
         keep(p.train, [&](Index i) { return p.train.x.at({i, 0}) < 0 && p.train.x.at({i, 1}) < 0; });
       }},
      {"validation_targets_by_other_constants",
       "the targets of the validation set were standardised by another mean and deviation",
       {"target_drift"},
       [](Program& p) { p.validation.y = p.validation.y * 0.3 + 1.0; },
       regression,
       {},
       Harm::gap},
      {"class_rare_in_training_only",
       "one row in 20 of class 1 is in the training set, and all of them in the validation set",
       {"class_imbalance", "target_drift"},
       [](Program& p) { keep(p.train, [&](Index i) { return label(p.train, i) != 1 || i % 20 == 0; }); },
       classes},
      {"validation_rows_trained_on",
       "the training set is all rows, and the validation set is still a part of them",
       {"duplicate_rows"},
       [](Program& p) {
         p.train = join(pick(p.train, numbers(p.train.rows() / 4)), p.validation);
         p.hidden = {96, 96};
         p.options.epochs *= 2;
       },
       any,
       {},
       Harm::gap},
  };
}

}  // namespace

std::vector<FaultGroup> fresh_label_faults() { return {{"labels", labels()}, {"split", splits()}}; }

}  // namespace faulty_runs
