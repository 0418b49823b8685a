#include <limits>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include <handrail/train/report/internal/sinks/histogram.h>

using namespace handrail;
using train::histogram_of;

namespace {

using Limits = std::numeric_limits<Scalar>;
constexpr Scalar not_a_number = Limits::quiet_NaN(), infinite = Limits::infinity();
using Counts = std::vector<double>;

}  // namespace

TEST_CASE("a histogram counts every finite value in a bucket of equal width") {
  const std::vector<Scalar> values{0, 1, 1, 2, not_a_number, 3, 4, infinite, -infinite};
  const auto h = histogram_of(values, 4);
  REQUIRE(h);
  CHECK(h->min == 0);
  CHECK(h->max == 4);
  CHECK(h->count == 6);
  CHECK(h->sum == 11);
  CHECK(h->sum_of_squares == 31);
  CHECK(h->limits == Counts{1, 2, 3, 4});
  CHECK(h->buckets == Counts{1, 2, 1, 2});  // the greatest value is in the last bucket, which ends with it
}

TEST_CASE("a histogram of equal values has one bucket, and one without finite values is empty") {
  const auto h = histogram_of(std::vector<Scalar>{0.5, 0.5, not_a_number});
  REQUIRE(h);
  CHECK(h->limits == Counts{0.5});
  CHECK(h->buckets == Counts{2});
  CHECK(!histogram_of(std::vector<Scalar>{}));
  CHECK(!histogram_of(std::vector<Scalar>{not_a_number, infinite}));
}

TEST_CASE("a histogram of the widest and of the narrowest range keeps its values") {
  constexpr Scalar huge = Limits::max(), tiny = Limits::denorm_min();
  for (const std::vector<Scalar>& values : {std::vector<Scalar>{-huge, 0, huge}, {0, tiny}}) {
    const auto h = histogram_of(values);
    REQUIRE(h);
    CHECK(h->buckets.size() == 32);
    CHECK(h->buckets.front() == 1);
    CHECK(h->buckets.back() == 1);
    CHECK(std::accumulate(h->buckets.begin(), h->buckets.end(), 0.0) == static_cast<double>(values.size()));
    CHECK(h->limits.back() == h->max);
  }
}
