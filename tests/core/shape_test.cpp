#include <doctest/doctest.h>

#include <limits>
#include <sstream>

#include <handrail/core/error.h>
#include <handrail/core/shape.h>

#include "support/check_throws.h"

using namespace handrail;

TEST_CASE("a default shape is a scalar of one element") {
  const Shape scalar;
  CHECK(scalar.rank() == 0);
  CHECK(scalar.size() == 1);
  CHECK(scalar.rows() == 1);
  CHECK(scalar.cols() == 1);
  CHECK(scalar == Shape{});
}

TEST_CASE("a shape knows its dimensions, size, rows and columns") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape.size() == 24);
  CHECK(shape.rows() == 6);
  CHECK(shape.cols() == 4);
  CHECK(shape.dims().size() == 3);
  CHECK(shape.dims()[1] == 3);
  CHECK(Shape{5}.rows() == 1);
  CHECK(Shape{5}.cols() == 5);
}

TEST_CASE("negative axes count from the end") {
  const Shape shape{2, 3, 4};
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 4);
  CHECK(shape[-3] == 2);
  CHECK(shape.normalize_axis(-2) == 1);
  check_throws<ShapeError>([&] { return shape[3]; }, "want an axis in [-3, 3)", "got 3", "[2, 3, 4]");
  check_throws<ShapeError>([&] { return shape[-4]; }, "got -4");
  check_throws<ShapeError>([] { return Shape{}[0]; }, "want an axis in [0, 0)");
}

TEST_CASE("a dimension may be zero and the size is then zero") {
  CHECK(Shape{0}.size() == 0);
  CHECK(Shape{3, 0}.size() == 0);
  CHECK(Shape{3, 0}.rows() == 3);
  CHECK(Shape{0, 3}.rows() == 0);
}

TEST_CASE("shapes that cannot be are refused") {
  check_throws<ShapeError>([] { return Shape{1, 2, 3, 4, 5}; }, "want rank <= 4", "got rank 5");
  check_throws<ShapeError>([] { return Shape{2, -1}; }, "want dimensions >= 0", "got -1");
  constexpr Index huge = std::numeric_limits<Index>::max() / 16;
  check_throws<ShapeError>([] { return Shape{huge}; }, "Shape: want at most", "exceeds it");
  check_throws<ShapeError>([] { return Shape{Index{1} << 31, Index{1} << 31, 8}; }, "Shape: want at most");
  // Also without elements: strides and numbers of rows are products of the other dimensions.
  constexpr Index large = Index{1} << 40;
  check_throws<ShapeError>([] { return Shape{large, large, 0}; }, "Shape: want at most");
  check_throws<ShapeError>([] { return Shape{0, large, large}; }, "Shape: want at most");
  check_throws<ShapeError>([] { return Shape{large, 0, large}; }, "Shape: want at most");
  CHECK(Shape{large, 0, 8}.size() == 0);
}

TEST_CASE("shapes compare by dimensions, not by size") {
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK(Shape{2, 3} != Shape{3, 2});
  CHECK(Shape{6} != Shape{6, 1});
  CHECK(Shape{} != Shape{1});
}

TEST_CASE("the shape of a batch and that of a sample follow from each other") {
  CHECK(Shape{7, 2, 3}.without_first() == Shape{2, 3});
  CHECK(Shape{2, 3}.batch_of(7) == Shape{7, 2, 3});
  CHECK(Shape{}.batch_of(7) == Shape{7});
  CHECK(Shape{7, 2}.with_first(5) == Shape{5, 2});
  check_throws<ShapeError>([] { return Shape{}.without_first(); }, "scalar has no first dimension");
  check_throws<ShapeError>([] { return Shape{}.with_first(2); }, "scalar has no first dimension");
  check_throws<ShapeError>(
      [] {
        return Shape{1, 2, 3, 4}.batch_of(7);
      },
      "no room for a batch dimension", "[1, 2, 3, 4]");
}

TEST_CASE("a shape prints as its dimensions in brackets") {
  std::ostringstream text;
  text << Shape{2, 3} << Shape{} << Shape{0};
  CHECK(text.str() == "[2, 3][][0]");
}
