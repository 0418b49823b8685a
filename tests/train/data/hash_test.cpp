#include <doctest/doctest.h>

#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/core/system/parallel.h>
#include <handrail/nn/init.h>
#include <handrail/train/data/internal/hash.h>

using namespace handrail;
using train::hash_rows;
using train::hash_values;
using train::Rows;

namespace {

const auto no_poll = [] {};

}  // namespace

TEST_CASE("the hash of values depends on every bit, on their order and on their number") {
  std::set<std::uint64_t> seen;
  for (const std::size_t size : {0U, 1U, 2U, 15U, 16U, 17U, 40U}) {
    std::vector<Scalar> values(size);
    seen.insert(hash_values(values));
    for (std::size_t i = 0; i < size; ++i) {
      values[i] = 1;
      seen.insert(hash_values(values));
      values[i] = -Scalar(0);
      seen.insert(hash_values(values));
      values[i] = 0;
    }
  }
  CHECK(seen.size() == 7 + 2 * (1 + 2 + 15 + 16 + 17 + 40));
}

TEST_CASE("the hash of rows has every row, and is the same on any number of threads") {
  Rng rng(1);
  const Index count = 3000;
  const Tensor inputs = normal({count, 40}, 0, 1, rng), targets = normal({count}, 0, 1, rng);
  const train::TensorDataset data(inputs, targets);
  const int before = num_threads();
  set_num_threads(1);
  const std::uint64_t hash = hash_rows(Rows(data), no_poll);
  for (const int threads : {2, 3, 7}) {
    set_num_threads(threads);
    CHECK(hash_rows(Rows(data), no_poll) == hash);
  }
  set_num_threads(before);
  for (const Index row : {Index{0}, Index{1}, Index{1597}, Index{1598}, Index{2048}, count - 1}) {
    const Scalar kept = inputs.data()[40 * row + 39], target = targets.data()[row];
    inputs.mutable_data()[40 * row + 39] += 1;
    CHECK(hash_rows(Rows(data), no_poll) != hash);
    inputs.mutable_data()[40 * row + 39] = kept;
    targets.mutable_data()[row] += 1;
    CHECK(hash_rows(Rows(data), no_poll) != hash);
    targets.mutable_data()[row] = target;
  }
  CHECK(hash_rows(Rows(data), no_poll) == hash);
  CHECK(hash_rows(Rows(data, {1, 0}), no_poll) != hash_rows(Rows(data, {0, 1}), no_poll));
}

TEST_CASE("the hash of a ByteDataset has every byte and every label") {
  const auto hash = [](Index changed_input, Index changed_label) {
    std::vector<std::uint8_t> inputs(30 * 7), labels(30);
    if (changed_input >= 0) inputs[static_cast<std::size_t>(changed_input)] = 1;
    if (changed_label >= 0) labels[static_cast<std::size_t>(changed_label)] = 1;
    const train::ByteDataset data({7}, std::move(inputs), std::move(labels));
    return hash_rows(Rows(data), no_poll);
  };
  std::set<std::uint64_t> seen{hash(-1, -1)};
  for (Index i = 0; i < 30 * 7; ++i) seen.insert(hash(i, -1));
  for (Index i = 0; i < 30; ++i) seen.insert(hash(-1, i));
  CHECK(seen.size() == 1 + 30 * 8);
}

TEST_CASE("the reading of rows for their hash ends when poll throws") {
  const train::TensorDataset data(Tensor::zeros({100'000, 100}), Tensor::zeros({100'000}));
  int calls = 0;
  const auto poll = [&] {
    if (++calls == 2) throw std::runtime_error("stop");
  };
  CHECK_THROWS_AS(hash_rows(Rows(data), poll), std::runtime_error);
}
