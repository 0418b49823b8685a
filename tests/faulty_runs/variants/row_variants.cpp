// Rows, their order and what is read of them, of the part `variants`.
#include <algorithm>

#include "variants/variants.h"

namespace faulty_runs {
namespace {

// A data set of the user's own that reads rows one by one.
struct OwnDataset : train::Dataset {
  // Writes the inputs and the targets of the asked row as row `at` of the batch.
  using Read = std::function<void(const Table&, Index asked, const train::Batch&, Index at)>;
  OwnDataset(const Table& table, Read own) : rows{table.x.clone(), table.y.clone()}, read(std::move(own)) {}
  Index size() const override { return rows.rows(); }
  Shape input_shape() const override { return rows.x.shape().without_first(); }
  Shape target_shape() const override { return rows.y.shape().without_first(); }
  void gather(std::span<const Index> asked, const train::Batch& batch) const override {
    for (Index i = 0; i < std::ssize(asked); ++i) read(rows, asked[static_cast<std::size_t>(i)], batch, i);
  }
  Table rows;
  Read read;
};

void copy_row(const Table& rows, Index from, const train::Batch& batch, Index to) {
  std::copy_n(rows.x.data() + from * rows.columns(), rows.columns(), batch.inputs.mutable_data() + to * rows.columns());
  batch.targets.mutable_data()[to] = rows.y.data()[from];
}

Fault in_own_dataset(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
                     const std::function<OwnDataset::Read(const Program&)>& read) {
  return {.name = name,
          .planted = planted,
          .causes = causes,
          .plant =
              [read](Program& p) {
                p.training_set = [own = read(p)](const Table& t) { return std::make_unique<OwnDataset>(t, own); };
              },
          .alone = true};
}

}  // namespace

std::vector<Fault> row_variants() {
  return {
      {"header_not_skipped",
       "a reader does not skip a header of three numbers, so that all values stand three cells further on",
       {"scrambled_inputs"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           const Tensor x = t.x.clone();
           for (Index cell = 0; cell < x.size(); ++cell) t.x.mutable_data()[cell] = cell < 3 ? 0 : x.data()[cell - 3];
         });
       }},
      {"half_of_the_columns_by_plane",
       "the first half of the columns is stored plane by plane, and read as if it were row by row",
       {"scrambled_inputs"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           const Tensor x = t.x.clone();
           const Index half = t.columns() / 2;
           cells(t, [&](Scalar& v, Index i, Index j) {
             const Index cell = i * half + j;
             if (j < half) v = x.at({cell % t.rows(), cell / t.rows()});
           });
         });
       }},
      {"debug_subset_left_on",
       "the first 40 rows of the training set are taken, as while the program was written",
       {"small_training_set", "limited_run"},
       [](Program& p) { p.train = pick(p.train, numbers(40)); }},
      in_own_dataset("index_modulo_a_cache_of_50", "a data set keeps 50 rows and reads row i from place i modulo 50",
                     {"repeated_rows"},
                     [](const Program&) {
                       return [](const Table& rows, Index asked, const train::Batch& batch, Index at) {
                         copy_row(rows, asked % 50, batch, at);
                       };
                     }),
      in_own_dataset(
          "augmentation_in_place_accumulates", "a data set adds its random noise to the stored inputs at every reading",
          {"unstable_data", "noisy_inputs", "validation_drift"},
          [](const Program& p) {
            const auto rng = std::make_shared<Rng>(p.rng(52));
            return [rng](const Table& rows, Index asked, const train::Batch& batch, Index at) {
              for (Index j = 0; j < rows.columns(); ++j)
                rows.x.mutable_data()[asked * rows.columns() + j] += static_cast<Scalar>(0.4 * rng->normal());
              copy_row(rows, asked, batch, at);
            };
          }),
      in_own_dataset(
          "target_of_a_random_row", "a data set draws the row anew for the target: inputs are of another row",
          {"unstable_data", "label_noise", "labels_shuffled", "no_better_than_baseline"},
          [](const Program& p) {
            const auto rng = std::make_shared<Rng>(p.rng(53));
            return [rng](const Table& rows, Index asked, const train::Batch& batch, Index at) {
              copy_row(rows, asked, batch, at);
              batch.targets.mutable_data()[at] = rows.y.data()[rng->below(static_cast<std::uint64_t>(rows.rows()))];
            };
          }),
  };
}

}  // namespace faulty_runs
