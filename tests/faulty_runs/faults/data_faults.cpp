// Rows and values: what is in the cells, and in which order and how often rows come.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

// A tenth of the cells of every second column, chosen by seed.
void some_cells(Program& p, double share, const std::function<void(Scalar&)>& edit, bool in_use) {
  Rng rng = p.rng(2);
  const auto change = [&](Table& table) {
    cells(table, [&](Scalar& x, Index, Index j) {
      if (j % 2 == 0 && rng.uniform() < share) edit(x);
    });
  };
  p.known(change);
  if (in_use) change(p.test);
}

// A data set that reads other rows than those it is asked for.
struct Misread : train::Dataset {
  Misread(const Table& table, std::function<Index(Index asked, Index rows)> which)
      : rows(table), read(std::move(which)) {}
  Index size() const override { return rows.rows(); }
  Shape input_shape() const override { return rows.x.shape().without_first(); }
  Shape target_shape() const override { return rows.y.shape().without_first(); }
  void gather(std::span<const Index> asked, const train::Batch& batch) const override {
    const train::TensorDataset all(rows.x, rows.y);
    std::vector<Index> inputs;
    for (const Index row : asked) inputs.push_back(read(row, rows.rows()));
    const train::Batch own = train::empty_batch(all, std::ssize(inputs));
    all.gather(asked, batch);
    all.gather(inputs, own);
    std::ranges::copy(own.inputs.span(), batch.inputs.mutable_data());
    if (targets_too) std::ranges::copy(own.targets.span(), batch.targets.mutable_data());
  }
  Table rows;
  std::function<Index(Index, Index)> read;
  bool targets_too = false;
};

}  // namespace

std::vector<Fault> data_faults() {
  return {
      {"missing_as_minus_999",
       "5 % of the cells of every second column are missing, coded as -999",
       {"coded_missing"},
       [](Program& p) {
         some_cells(
             p, 0.05, [](Scalar& x) { x = -999; }, true);
       }},
      {"missing_as_99",
       "a tenth of the cells of every second column are missing, coded as 99",
       {"coded_missing"},
       [](Program& p) {
         some_cells(
             p, 0.1, [](Scalar& x) { x = 99; }, true);
       }},
      {"missing_as_999_standardised",
       "missing cells coded as 999, before Standardize is fitted",
       {"coded_missing"},
       [](Program& p) {
         some_cells(
             p, 0.05, [](Scalar& x) { x = 999; }, true);
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Standardize::fit(q.train.x)};
           model.push_back(mlp(q.widths(), rng, q.activation));
           return model;
         };
       }},
      {"outlier_rows",
       "1 % of the training rows are 300 times too large",
       {"outliers"},
       [](Program& p) { cells(p.train, [](Scalar& x, Index i, Index) { x *= i % 100 == 7 ? 300 : 1; }); }},
      {"outlier_cells",
       "one cell in 300 of training and validation is 1000 times too large",
       {"outliers"},
       [](Program& p) {
         some_cells(
             p, 1.0 / 150, [](Scalar& x) { x *= 1000; }, false);
       }},
      {"outlier_targets",
       "1 % of the training targets are 100 times too large",
       {"outliers", "outlier_targets"},
       [](Program& p) {
         for (Index i = 7; i < p.train.rows(); i += 100) p.train.y.mutable_data()[i] *= 100;
       },
       regression},
      {"nan_cells",
       "some cells are NaN",
       {"non_finite"},
       [](Program& p) {
         some_cells(
             p, 0.01, [](Scalar& x) { x = NAN; }, false);
       },
       any,
       {"NaN", "nan", "finite"}},
      {"infinite_cell",
       "one cell is infinite, in a data set that accepts it",
       {"non_finite"},
       [](Program& p) {
         p.train.x.mutable_data()[5] = INFINITY;
         p.allow_non_finite = true;
       },
       any,
       {"infinit", "finite", "inf "}},
      {"nan_seen_by_guards",
       "a row with NaN that no check of the data looks for",
       {"non_finite"},
       [](Program& p) {
         p.train.x.mutable_data()[5] = NAN;
         p.allow_non_finite = true;
         p.options.checks.finite = false;
       }},
      {"repeated_rows",
       "a data set that reads its first 32 rows again and again",
       {"repeated_rows"},
       [](Program& p) {
         p.training_set = [](const Table& t) {
           auto data = std::make_unique<Misread>(t, [](Index row, Index) { return row % 32; });
           data->targets_too = true;
           return data;
         };
       },
       any,
       {},
       Harm::score,
       false,
       true},
      {"inputs_of_the_next_row",
       "a data set whose inputs are those of the row after the target's",
       {"label_noise", "labels_shuffled", "labels_shifted", "no_better_than_baseline"},
       [](Program& p) {
         p.own_split = false;
         p.training_set = [](const Table& t) {
           return std::make_unique<Misread>(t, [](Index row, Index rows) { return (row + 1) % rows; });
         };
       },
       any,
       {},
       Harm::score,
       false,
       true},
      {"inputs_change_under_targets",
       "a data set that shuffles its inputs, but not its targets, at every reading",
       {"unstable_data", "label_noise", "labels_shuffled", "no_better_than_baseline"},
       [](Program& p) {
         p.own_split = false;
         p.training_set = [seed = p.seed](const Table& t) {
           const auto rng = std::make_shared<Rng>(seed);
           return std::make_unique<Misread>(t, [rng](Index, Index rows) {
             return static_cast<Index>(rng->below(static_cast<std::uint64_t>(rows)));
           });
         };
       },
       any,
       {},
       Harm::score,
       false,
       true},
      {"rows_sorted_by_class",
       "the training rows are sorted by class; the Trainer shuffles them",
       {"sorted_rows"},
       [](Program& p) {
         std::vector<Index> order = numbers(p.train.rows());
         std::ranges::stable_sort(order, {}, [&](Index i) { return p.train.y.data()[i]; });
         p.train = pick(p.train, order);
       }},
      {"transposed_by_reshape",
       "a table stored by columns is reshaped instead of transposed",
       {"scrambled_inputs", "label_noise", "labels_shuffled", "no_better_than_baseline"},
       [](Program& p) { p.everywhere([](Table& t) { t.x = transpose(t.x).view(t.x.shape()).clone(); }); }},
      {"wrong_stride",
       "rows are read with a stride that is one too long, so that columns move from row to row",
       {"scrambled_inputs"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           const Tensor x = t.x.clone();
           cells(t, [&](Scalar& v, Index i, Index j) {
             v = x.data()[(i * (t.columns() + 1) + j) % (t.rows() * t.columns())];
           });
         });
       }},
      {"train_on_few_rows",
       "the training set is one row in twenty: the parts of a split are exchanged",
       {"small_training_set"},
       [](Program& p) {
         std::vector<Index> few;
         for (Index i = 0; i < p.train.rows(); i += 20) few.push_back(i);
         p.train = pick(p.train, few);
       }},
      {"augmented_into_noise",
       "noise of three times the spread of each column is added to training inputs",
       {"noisy_inputs", "validation_drift"},
       [](Program& p) {
         Rng rng = p.rng(3);
         cells(p.train, [&](Scalar& x, Index, Index) { x += static_cast<Scalar>(3 * rng.normal()); });
       }},
  };
}

}  // namespace faulty_runs
