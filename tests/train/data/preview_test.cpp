#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/data/internal/preview.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;
using train::Preview;

namespace {

// Rows of `width` numbers that are made up when they are asked for: each is its row.
struct Numbers : train::Dataset {
  Numbers(Index n, Index w) : count(n), width(w) {}
  Index size() const override { return count; }
  Shape input_shape() const override { return {width}; }
  Shape target_shape() const override { return {}; }
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    Scalar* x = batch.inputs.mutable_data();
    Scalar* y = batch.targets.mutable_data();
    for (const Index row : rows) {
      x = std::fill_n(x, width, static_cast<Scalar>(row));
      *y++ = static_cast<Scalar>(row % 3);
    }
    read += std::ssize(rows);
  }
  Index count, width;
  mutable Index read = 0;
};

}  // namespace

TEST_CASE("a preview keeps all samples of a set that fits, and reads each once") {
  const Numbers data(1000, 5);
  Index last = 0;
  const Preview preview(data, true, [&](Index done, Index total) {
    CHECK(total == 1000);
    CHECK(done > last);
    last = done;
  });
  CHECK(last == 1000);
  CHECK(data.read <= 1000 + 4);  // a loader tries two rows twice
  CHECK(preview.kept(train::Rows(data)).size() == 1000);
  REQUIRE(std::ssize(preview.targets()) == 1000);
  CHECK(preview.targets()[17] == 2);
  const std::vector<Index> rows{999, 3, 3};
  const train::Batch batch = train::empty_batch(preview, 3), normal = train::empty_batch(preview, 3);
  preview.gather(rows, batch);
  CHECK(same_bits(batch.targets, Tensor({3}, {0, 0, 0})));
  CHECK(batch.inputs.at({0, 4}) == 999);
  CHECK(batch.inputs.at({2, 0}) == 3);
  preview.gather_normalized(rows, {.mean = 3, .stddev = 2}, normal);
  CHECK(normal.inputs.at({0, 0}) == 498);
  CHECK(normal.inputs.at({1, 0}) == 0);
}

TEST_CASE("a preview of a set too large to keep has evenly spaced samples, and every target on request") {
  const Index width = Index{1} << 20;  // 63 fit
  for (const bool all_targets : {true, false}) {
    const Numbers data(200, width);
    const Preview preview(data, all_targets, {});
    const train::Rows kept = preview.kept(train::Rows(data));
    CHECK(&kept.dataset() == &preview);
    CHECK(kept.size() == 63);
    CHECK(kept.numbers()[1] == 3);
    CHECK(preview.kept({data, {1, 2, 3}}).size() == 1);
    CHECK(std::ssize(preview.targets()) == (all_targets ? 200 : 0));
    CHECK(data.read <= (all_targets ? 200 : 63) + 4);
    const train::Batch batch = train::empty_batch(preview, 1);
    preview.gather(std::vector<Index>{3}, batch);
    CHECK(batch.inputs.at({0, width - 1}) == 3);
    check_throws<Error>([&] { preview.gather(std::vector<Index>{4}, batch); }, "want a row that is kept; got 4");
  }
}

TEST_CASE("an exception thrown by progress ends the reading") {
  struct Stop {};
  const Numbers data(100'000, 5);
  CHECK_THROWS_AS(Preview(data, true, [](Index, Index) { throw Stop(); }), Stop);
  CHECK(data.read < 1000);
}
