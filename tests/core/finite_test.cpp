#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>
#include <vector>

#include <handrail/core/system/finite.h>

using namespace handrail;

TEST_CASE("is_finite tells NaN and infinities from numbers") {
  using float_limits = std::numeric_limits<float>;
  using double_limits = std::numeric_limits<double>;
  for (const float value : {0.0F, -0.0F, 1.0F, float_limits::max(), float_limits::lowest(), float_limits::denorm_min()})
    CHECK(is_finite(value));
  for (const float value : {float_limits::infinity(), -float_limits::infinity(), float_limits::quiet_NaN(),
                            -float_limits::quiet_NaN(), float_limits::signaling_NaN()})
    CHECK_FALSE(is_finite(value));
  for (const double value : {0.0, -1.0, double_limits::max(), double_limits::denorm_min()}) CHECK(is_finite(value));
  for (const double value : {double_limits::infinity(), -double_limits::infinity(), double_limits::quiet_NaN()})
    CHECK_FALSE(is_finite(value));
  static_assert(is_finite(1.0F) && !is_finite(float_limits::quiet_NaN()));
}

TEST_CASE("first_non_finite finds the first bad value wherever it is") {
  std::vector<Scalar> values(2500, Scalar(1));
  CHECK(first_non_finite(values) == -1);
  CHECK(first_non_finite({}) == -1);
  // In the first block, on both sides of a block's edge, and at the end.
  for (const std::size_t at : std::initializer_list<std::size_t>{0, 1, 1023, 1024, 2047, 2048, 2499}) {
    values[at] = std::numeric_limits<Scalar>::quiet_NaN();
    CHECK(first_non_finite(values) == static_cast<Index>(at));
    values[2499] = std::numeric_limits<Scalar>::infinity();
    CHECK(first_non_finite(values) == static_cast<Index>(at));
    values[at] = values[2499] = 1;
  }
}
