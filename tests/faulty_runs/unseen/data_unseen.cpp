// Values, rows and columns, of the part `unseen`.
#include <algorithm>
#include <cmath>
#include <string>

#include "unseen/unseen.h"

namespace faulty_runs {
namespace {

// A data set of the user's own that changes each batch of rows after it has copied them.
struct ChangedBatches : train::TensorDataset {
  ChangedBatches(const Table& table, BatchChange own)
      : TensorDataset(table.x, table.y), rows(table), change(std::move(own)) {}
  bool in_memory() const override { return false; }
  void gather(std::span<const Index> asked, const train::Batch& batch) const override {
    TensorDataset::gather(asked, batch);
    change(rows, batch);
  }
  Table rows;
  BatchChange change;
};

Tensor without_column(const Tensor& x, Index column) {
  const Tensor fewer({x.shape()[0], x.shape()[1] - 1});
  for (Index i = 0; i < fewer.shape()[0]; ++i)
    for (Index j = 0; j < fewer.shape()[1]; ++j) at(fewer, i, j) = x.at({i, j < column ? j : j + 1});
  return fewer;
}

}  // namespace

Fault in_each_batch(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
                    const std::function<BatchChange(const Program&)>& change) {
  return {.name = name,
          .planted = planted,
          .causes = causes,
          .plant =
              [change](Program& p) {
                p.training_set = [own = change(p)](const Table& t) { return std::make_unique<ChangedBatches>(t, own); };
              },
          .alone = true};
}

std::vector<Fault> unseen_data() {
  return {
      {"u_kelvin_in_one_logger",
       "the first column has degrees Celsius near 15, but 273 more in the rows of one of three loggers",
       {"mixed_units", "outliers", "two_regimes"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           for (Index i = 0; i < t.rows(); ++i) at(t.x, i, 0) = 15 + 8 * at(t.x, i, 0) + (i % 3 == 2 ? 273 : 0);
         });
         standardise_first(p);
       }},
      {"u_logarithms_in_some_files",
       "amounts are logarithms in two of five files of 50 rows, and plain in the others",
       {"mixed_units", "two_regimes"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [](Scalar& x, Index i, Index) { x = i / 50 % 5 < 2 ? x + 2 : std::exp(x + 2); });
         });
         standardise_first(p);
       }},
      {"u_do_not_know_is_9",
       "a tenth of the answers in every column are 9, which stands for not knowing",
       {"coded_missing"},
       [](Program& p) {
         Rng rng = p.rng(90);
         p.everywhere([&](Table& t) { cells(t, [&](Scalar& x, Index, Index) { x = rng.uniform() < 0.1 ? 9 : x; }); });
       }},
      {"u_logarithm_of_clipped_values",
       "inputs are clipped at 0.001 and their logarithm is taken, although half of them are negative",
       {"truncated_columns"},
       [](Program& p) {
         p.everywhere(
             [](Table& t) { cells(t, [](Scalar& x, Index, Index) { x = std::log(std::max(x, Scalar(1e-3))); }); });
       }},
      {"u_half_precision",
       "columns near 3000 are stored in half precision, whose steps are 2 there, before Standardize",
       {"truncated_columns", "large_offset"},
       [](Program& p) {
         p.everywhere(
             [](Table& t) { cells(t, [](Scalar& x, Index, Index) { x = 2 * std::round((3000 + 1.2F * x) / 2); }); });
         standardise_first(p);
       }},
      {"u_rows_dropped_from_the_inputs_only",
       "rows with missing values were dropped from the inputs, one in 40, and not from the targets",
       {"labels_shifted", "labels_shuffled", "label_noise", "no_better_than_baseline"},
       [](Program& p) {
         p.known([](Table& t) {
           std::vector<Index> kept = numbers(t.rows());
           std::erase_if(kept, [](Index i) { return i % 40 == 7; });
           t = {pick(t, kept).x, pick(t, numbers(std::ssize(kept))).y};
         });
       }},
      {"u_file_names_in_order_of_text",
       "inputs come in the order 1, 10, 100, 1000, 1001 of their file names, and targets in that of their numbers",
       {"labels_shuffled", "labels_shifted", "label_noise", "no_better_than_baseline"},
       [](Program& p) {
         p.known([](Table& t) {
           std::vector<Index> order = numbers(t.rows());
           std::ranges::sort(order, {}, [](Index i) { return std::to_string(i); });
           t.x = pick(t, order).x;
         });
       }},
      in_each_batch(
          "u_mixup_of_inputs_only",
          "a data set adds to 0.4 of each row 0.6 of another one, and leaves the target as it is",
          {"unstable_data", "noisy_inputs", "label_noise", "validation_drift"},
          [](const Program& p) {
            const auto rng = std::make_shared<Rng>(p.rng(91));
            return [rng](const Table& all, const train::Batch& batch) {
              const Index columns = all.columns();
              for (Index i = 0; i < batch.inputs.shape()[0]; ++i) {
                const auto other = static_cast<Index>(rng->below(static_cast<std::uint64_t>(all.rows())));
                for (Index j = 0; j < columns; ++j)
                  at(batch.inputs, i, j) = Scalar(0.4) * at(batch.inputs, i, j) + Scalar(0.6) * all.x.at({other, j});
              }
            };
          }),
      in_each_batch("u_each_batch_by_its_range",
                    "a data set brings the columns of what it is asked for to [0, 1], each time by their range there",
                    {"unstable_data", "validation_drift"},
                    [](const Program&) {
                      return [](const Table& all, const train::Batch& batch) {
                        for (Index j = 0; j < all.columns(); ++j) {
                          Scalar low = at(batch.inputs, 0, j), high = low;
                          for (Index i = 0; i < batch.inputs.shape()[0]; ++i) {
                            low = std::min(low, at(batch.inputs, i, j));
                            high = std::max(high, at(batch.inputs, i, j));
                          }
                          for (Index i = 0; i < batch.inputs.shape()[0]; ++i)
                            at(batch.inputs, i, j) = (at(batch.inputs, i, j) - low) / (high - low + Scalar(1e-6));
                        }
                      };
                    }),
  };
}

std::vector<Fault> unseen_columns() {
  return {
      {"u_width_and_height_of_a_scan",
       "the width and the height of a scan are columns, and each class was scanned in a format of its own",
       {"label_leak"},
       [](Program& p) {
         Rng rng = p.rng(92);
         std::vector<double> widths;
         leak(p, [&](const Table& t, Index i) {
           if (i == 0) widths.clear();
           widths.push_back(rng.uniform(1, 3));
           return widths.back() * (1 + 0.4 * static_cast<double>(t.y.data()[i]));
         });
         leak(p, [&](const Table& t, Index i) {  // the heights, from what the first column was made of
           return t.x.at({i, t.columns() - 1}) / (1 + 0.4 * static_cast<double>(t.y.data()[i]));
         });
       },
       classes,
       {},
       Harm::gap},
      {"u_hash_of_a_category",
       "a category of 16 values takes the place of the columns it was made of, as a hash from 0 to 999",
       {"coded_category"},
       [](Program& p) {
         Rng rng = p.rng(93);
         std::vector<Scalar> hash;
         for (int i = 0; i < 16; ++i) hash.push_back(static_cast<Scalar>(rng.below(1000)));
         const auto quarter = [](Scalar x) { return x < Scalar(-0.67) ? 0 : x < 0 ? 1 : x < Scalar(0.67) ? 2 : 3; };
         p.everywhere([&](Table& t) {
           for (Index i = 0; i < t.rows(); ++i) {
             const int category = 4 * quarter(at(t.x, i, 0)) + quarter(at(t.x, i, 1));
             at(t.x, i, 0) = hash[static_cast<std::size_t>(category)];
           }
           t.x = without_column(t.x, 1);
         });
         standardise_first(p);
       }},
      {"u_half_of_the_columns_one_row_late",
       "the first half of the columns was joined one time step late, so that it is that of the row before",
       {"scrambled_inputs", "labels_shifted"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           const Tensor x = t.x.clone();
           cells(t, [&](Scalar& v, Index i, Index j) {
             if (2 * j < t.columns()) v = x.at({i == 0 ? t.rows() - 1 : i - 1, j});
           });
         });
       }},
  };
}

}  // namespace faulty_runs
