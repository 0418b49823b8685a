#include <doctest/doctest.h>

#include <limits>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/tensor.h>

using namespace handrail;

namespace {

std::string printed(const Tensor& tensor) { return concat(tensor); }

Tensor counting(const Shape& shape) {
  const Tensor t(shape);
  std::iota(t.mutable_data(), t.mutable_data() + t.size(), Scalar(0));
  return t;
}

}  // namespace

TEST_CASE("a tensor prints its rows and its shape") {
  CHECK(printed(Tensor({3}, {1, 2.5, -3})) == "Tensor([  1, 2.5,  -3], shape [3])");
  CHECK(printed(Tensor({2, 2}, {1, 20, 3, 4})) ==
        "Tensor([[ 1, 20],\n"
        "        [ 3,  4]], shape [2, 2])");
  CHECK(printed(counting({2, 1, 2, 2})) ==
        "Tensor([[[[0, 1],\n"
        "          [2, 3]]],\n\n\n"
        "        [[[4, 5],\n"
        "          [6, 7]]]], shape [2, 1, 2, 2])");
}

TEST_CASE("a tensor without rows, of rank 0 or undefined prints as what it is") {
  CHECK(printed(Tensor::scalar(Scalar(0.25))) == "Tensor(0.25)");
  CHECK(printed(Tensor({0, 3}, {})) == "Tensor([], shape [0, 3])");
  CHECK(printed(Tensor({2, 0}, {})) == "Tensor([[],\n        []], shape [2, 0])");
  CHECK(printed(Tensor()) == "Tensor(undefined)");
}

TEST_CASE("a tensor prints whole numbers in full, others to four digits, and what is not finite by its name") {
  CHECK(printed(Tensor({2}, {123456, -1})) == "Tensor([123456,     -1], shape [2])");
  CHECK(printed(Tensor({2}, {Scalar(0.1), Scalar(2.0 / 3)})) == "Tensor([   0.1, 0.6667], shape [2])");
  CHECK(printed(Tensor({2}, {Scalar(1.25e-9), Scalar(3e20)})) == "Tensor([1.25e-09,    3e+20], shape [2])");
  constexpr Scalar inf = std::numeric_limits<Scalar>::infinity();
  CHECK(printed(Tensor({4}, {1, std::numeric_limits<Scalar>::quiet_NaN(), inf, -inf})) ==
        "Tensor([   1,  nan,  inf, -inf], shape [4])");
}

TEST_CASE("a long row is printed in lines, and a large tensor without its middle") {
  CHECK(printed(counting({30})) ==
        "Tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29], shape [30])");
  CHECK(printed(counting({1001})) == "Tensor([   0,    1,    2, ...,  998,  999, 1000], shape [1001])");
  CHECK(printed(counting({1000, 2})) ==
        "Tensor([[   0,    1],\n"
        "        [   2,    3],\n"
        "        [   4,    5],\n"
        "        ...,\n"
        "        [1994, 1995],\n"
        "        [1996, 1997],\n"
        "        [1998, 1999]], shape [1000, 2])");
}

TEST_CASE("the flags of the stream do not change how a tensor prints") {
  std::ostringstream out;
  out.precision(1);
  out << std::scientific << std::showpos << Tensor({2}, {1, Scalar(0.125)});
  CHECK(out.str() == "Tensor([    1, 0.125], shape [2])");
}
