// Training and validation sets: rows in both, and sets that differ.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

void change(const Tensor& x, const std::function<double(double)>& f) {
  for (Scalar& value : x.mutable_span()) value = static_cast<Scalar>(f(static_cast<double>(value)));
}

// Random rows of the training set.
Table some_training_rows(const Program& p, Index count, std::uint64_t salt) {
  Rng rng = p.rng(salt);
  std::vector<Index> rows = shuffled(p.train.rows(), rng);
  rows.resize(static_cast<std::size_t>(std::min(count, p.train.rows())));
  return pick(p.train, rows);
}

}  // namespace

Fault fault_of_reports(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
                       const std::function<void(Program&)>& plant, unsigned needs) {
  return {.name = name, .planted = planted, .causes = causes, .plant = plant, .needs = needs, .harm = Harm::gap};
}

std::vector<Fault> split_faults() {
  return {
      {"validation_is_training",
       "the training set is the validation set too",
       {"duplicate_rows"},
       [](Program& p) { p.validation = p.train; },
       any,
       {},
       Harm::gap},
      {"training_rows_in_validation",
       "four of five validation rows are training rows",
       {"duplicate_rows"},
       [](Program& p) {
         const Table own = pick(p.validation, numbers(p.validation.rows() / 5));
         p.validation = join(some_training_rows(p, p.validation.rows() * 4 / 5, 15), own);
       },
       any,
       {},
       Harm::gap},
      {"near_duplicates_in_validation",
       "validation rows are training rows with a little noise",
       {"near_duplicates", "duplicate_rows"},
       [](Program& p) {
         Rng rng = p.rng(16);
         p.validation = some_training_rows(p, p.validation.rows(), 17);
         change(p.validation.x, [&](double x) { return x + 0.01 * rng.normal(); });
       },
       any,
       {},
       Harm::gap},
      {"oversampled_before_split",
       "every row is there eight times before the library splits the data",
       {"duplicate_rows"},
       [](Program& p) {
         p.train = pick(p.train, numbers(p.train.rows() / 4));
         for (int i = 0; i < 3; ++i) p.train = join(p.train, p.train);
         p.own_split = false;
       },
       any,
       {},
       Harm::gap},
      {"augmented_before_split",
       "every row is there eight times with a little noise before the library splits the data",
       {"near_duplicates", "duplicate_rows"},
       [](Program& p) {
         Rng rng = p.rng(18);
         p.train = pick(p.train, numbers(p.train.rows() / 4));
         for (int i = 0; i < 3; ++i) p.train = join(p.train, p.train);
         change(p.train.x, [&](double x) { return x + 0.02 * rng.normal(); });
         p.own_split = false;
       },
       any,
       {},
       Harm::gap},
      {"validation_shifted",
       "validation inputs are two standard deviations higher",
       {"validation_drift"},
       [](Program& p) { change(p.validation.x, [](double x) { return x + 2; }); },
       any,
       {},
       Harm::gap},
      {"validation_not_standardised",
       "validation inputs are raw, training inputs are standardised",
       {"validation_drift"},
       [](Program& p) { change(p.validation.x, [](double x) { return 12 * x + 30; }); },
       any,
       {},
       Harm::gap},
      {"validation_scaled",
       "validation inputs are divided by 255, training inputs are not",
       {"validation_drift"},
       [](Program& p) { change(p.validation.x, [](double x) { return x / 255; }); },
       any,
       {},
       Harm::gap},
      {"columns_permuted_in_validation",
       "the validation set has its columns in the opposite order",
       {"columns_permuted", "validation_drift"},
       [](Program& p) {
         const Tensor x = p.validation.x.clone();
         const Index columns = p.validation.columns();
         for (Index i = 0; i < p.validation.rows(); ++i)
           for (Index j = 0; j < columns; ++j)
             p.validation.x.mutable_data()[i * columns + j] = x.at({i, columns - 1 - j});
       },
       any,
       {},
       Harm::gap},
      {"labels_recoded_in_validation",
       "the validation set numbers the classes in the opposite order",
       {"labels_recoded"},
       [](Program& p) {
         const double last = p.kind == train::Task::binary ? 1 : static_cast<double>(p.outputs - 1);
         change(p.validation.y, [&](double y) { return last - y; });
       },
       classes,
       {},
       Harm::gap},
      {"validation_targets_shifted",
       "the validation set has the targets of the rows before",
       {"labels_recoded", "labels_shifted"},
       [](Program& p) {
         std::vector<Index> order = numbers(p.validation.rows());
         std::rotate(order.begin(), order.begin() + 1, order.end());
         p.validation.y = pick(p.validation, order).y;
       },
       any,
       {},
       Harm::gap},
      {"validation_targets_in_other_units",
       "the validation set has targets 100 times as large",
       {"target_drift", "labels_recoded"},
       [](Program& p) { change(p.validation.y, [](double y) { return 100 * y; }); },
       regression,
       {},
       Harm::gap},
      {"split_without_shuffling",
       "rows are sorted by target, and the last ones are the validation set",
       {"target_drift", "missing_class"},
       [](Program& p) {
         const Table all = join(p.train, p.validation);
         std::vector<Index> order = numbers(all.rows());
         std::ranges::stable_sort(order, {}, [&](Index i) { return all.y.data()[i]; });
         const auto cut = order.begin() + p.train.rows();
         p.train = pick(all, {order.begin(), cut});
         p.validation = pick(all, {cut, order.end()});
       }},
      {"tiny_validation_set",
       "the validation set has five rows",
       {"small_validation_set"},
       [](Program& p) { p.validation = pick(p.validation, numbers(5)); },
       any,
       {},
       Harm::gap},
      {"validation_of_easy_rows",
       "the validation set has rows of one class only",
       {"target_drift"},
       [](Program& p) {
         std::vector<Index> easy;
         for (Index i = 0; i < p.validation.rows(); ++i)
           if (p.validation.y.data()[i] == 0) easy.push_back(i);
         p.validation = pick(p.validation, easy);
       },
       classes,
       {},
       Harm::gap},
      {"most_rows_held_out",
       "the library is told to hold 95 % of the rows out",
       {"small_training_set"},
       [](Program& p) {
         p.own_split = false;
         p.options.validation_split = 0.95;
       }},
      {"forty_rows_in_all",
       "the data set has 40 rows in all",
       {"small_training_set"},
       [](Program& p) {
         p.train = pick(p.train, numbers(40));
         p.own_split = false;
       }},
  };
}

}  // namespace faulty_runs
