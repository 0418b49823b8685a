#include <algorithm>
#include <memory>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/check_throws.h"

using namespace handrail;

namespace {

// Row i has the target first + i.
std::shared_ptr<const train::TensorDataset> numbered(Index count, Index first = 0) {
  const Tensor inputs = Tensor::zeros({count, 1}), targets(Shape{count});
  for (Index i = 0; i < count; ++i) targets.mutable_data()[i] = static_cast<Scalar>(first + i);
  return std::make_shared<const train::TensorDataset>(inputs, targets);
}

// The samples of one data set behind those of another, as a user writes it: each set is read once for a batch.
class Concatenated : public train::Dataset {
 public:
  Concatenated(std::shared_ptr<const Dataset> first, std::shared_ptr<const Dataset> second)
      : first_(std::move(first)), second_(std::move(second)) {}
  Index size() const override { return first_->size() + second_->size(); }
  Shape input_shape() const override { return first_->input_shape(); }
  Shape target_shape() const override { return first_->target_shape(); }
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    gather_from(*first_, 0, rows, batch);
    gather_from(*second_, first_->size(), rows, batch);
  }

 private:
  static void gather_from(const Dataset& from, Index begin, std::span<const Index> rows, const train::Batch& batch) {
    std::vector<Index> wanted;
    for (const Index row : rows)
      if (row >= begin && row < begin + from.size()) wanted.push_back(row - begin);
    const train::Batch part = train::empty_batch(from, std::ssize(wanted));
    from.gather(wanted, part);
    const auto x = part.inputs.span(), y = part.targets.span();
    std::size_t next = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] < begin || rows[i] >= begin + from.size()) continue;
      batch.inputs.mutable_span()[i] = x[next];
      batch.targets.mutable_span()[i] = y[next++];
    }
  }

  std::shared_ptr<const Dataset> first_, second_;
};

std::vector<Index> targets_of(const train::Dataset& data) {
  std::vector<Index> all;
  for (const Scalar target : train::first_samples(data, data.size()).targets.span())
    all.push_back(static_cast<Index>(target));
  return all;
}

}  // namespace

TEST_CASE("a subset of a data set that reads subsets itself has the right rows") {
  const auto low = std::make_shared<train::Subset>(numbered(10), std::vector<Index>{9, 7, 5, 3});
  const auto high = std::make_shared<train::Subset>(numbered(10, 100), std::vector<Index>{2, 4, 6});
  const auto both = std::make_shared<Concatenated>(low, high);
  CHECK(targets_of(*both) == std::vector<Index>{9, 7, 5, 3, 102, 104, 106});
  const auto some = std::make_shared<train::Subset>(both, std::vector<Index>{6, 0, 4, 3});
  CHECK(targets_of(*some) == std::vector<Index>{106, 9, 102, 3});
  const train::Subset twice(std::make_shared<Concatenated>(some, both), {10, 1, 0});
  CHECK(targets_of(twice) == std::vector<Index>{106, 9, 106});
}

TEST_CASE("rows of rows are rows of the same data set, and out of range is an error") {
  const auto data = numbered(10);
  const train::Rows all(*data), odd(*data, {1, 3, 5, 7, 9});
  CHECK(all.size() == 10);
  const train::Rows picked = odd.pick(std::vector<Index>{4, 0, 0}), two = odd.first(2);
  CHECK(&picked.dataset() == data.get());
  CHECK(std::ranges::equal(picked.numbers(), std::vector<Index>{9, 1, 1}));
  CHECK(std::ranges::equal(two.numbers(), std::vector<Index>{1, 3}));
  CHECK(odd.first(99).size() == 5);
  CHECK(odd.first(0).empty());
  const train::Rows copy = odd;
  CHECK(copy.numbers().data() == odd.numbers().data());  // shared
  check_throws<DataError>([&] { train::Rows(*data, {0, 10}); }, "want rows in [0, 10); got 10");
  check_throws<DataError>([&] { train::Rows(*data, {-1}); }, "want rows in [0, 10); got -1");
  check_throws<DataError>([&] { odd.pick(std::vector<Index>{5}); }, "want positions in [0, 5); got 5");
}

TEST_CASE("a subset of a subset reads the data set below both, but not below a class derived from Subset") {
  struct Doubled : train::Subset {
    using Subset::Subset;
    void gather(std::span<const Index> rows, const train::Batch& batch) const override {
      Subset::gather(rows, batch);
      for (Scalar& target : batch.targets.mutable_span()) target *= 2;
    }
  };
  const auto inner = std::make_shared<train::Subset>(numbered(10), std::vector<Index>{8, 6, 4});
  CHECK(targets_of(train::Subset(inner, {2, 0})) == std::vector<Index>{4, 8});
  const auto doubled = std::make_shared<Doubled>(numbered(10), std::vector<Index>{8, 6, 4});
  CHECK(targets_of(train::Subset(doubled, {2, 0})) == std::vector<Index>{8, 16});
}
