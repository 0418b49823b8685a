#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <handrail/core/ops/internal/gemm.h>
#include <handrail/core/random.h>

#include "support/tensors.h"

using namespace handrail;

namespace {

// A product with its operands, as they lie in memory.
struct Problem {
  Index m, n, k;
  bool transposed_a, transposed_b;
  Tensor a, b, c, row;

  Problem(Index rows, Index cols, Index depth, bool ta, bool tb, Rng& rng)
      : m(rows),
        n(cols),
        k(depth),
        transposed_a(ta),
        transposed_b(tb),
        a(uniform({m, k}, -1, 1, rng)),
        b(uniform({k, n}, -1, 1, rng)),
        c(uniform({m, n}, -1, 1, rng)),
        row(uniform({n}, -1, 1, rng)) {}

  MatrixView a_view() const { return transposed_a ? row_major(a.data(), m).transposed() : row_major(a.data(), k); }
  MatrixView b_view() const { return transposed_b ? row_major(b.data(), k).transposed() : row_major(b.data(), n); }
};

enum class Start { zero, c, row };

Tensor product(const Problem& p, Start start) {
  const Tensor c = p.c.clone();
  gemm(p.m, p.n, p.k, p.a_view(), p.b_view(), c.mutable_data(), p.n,
       {.accumulate = start == Start::c, .row = start == Start::row ? p.row.data() : nullptr});
  return c;
}

// The same product in pieces: rows split at `row`, columns at `col`.
Tensor in_pieces(const Problem& p, Start start, Index row, Index col) {
  const Tensor c = p.c.clone();
  const MatrixView a = p.a_view(), b = p.b_view();
  for (const auto& [i0, i1] : {std::array{Index{0}, row}, std::array{row, p.m}})
    for (const auto& [j0, j1] : {std::array{Index{0}, col}, std::array{col, p.n}})
      gemm(i1 - i0, j1 - j0, p.k, {a.data + i0 * a.row_stride, a.row_stride, a.col_stride},
           {b.data + j0 * b.col_stride, b.row_stride, b.col_stride}, c.mutable_data() + i0 * p.n + j0, p.n,
           {.accumulate = start == Start::c, .row = start == Start::row ? p.row.data() + j0 : nullptr});
  return c;
}

// The largest error over what rounding explains: k + 1 roundings of the sum of absolute products.
double worst_error(const Problem& p, Start start, const Tensor& got) {
  const MatrixView a = p.a_view(), b = p.b_view();
  const double rounding = static_cast<double>(p.k + 2) * static_cast<double>(std::numeric_limits<Scalar>::epsilon());
  double worst = 0;
  std::vector<double> value(static_cast<std::size_t>(p.n)), size(value.size());
  for (Index i = 0; i < p.m; ++i) {
    for (std::size_t j = 0; j < value.size(); ++j) {
      const auto at = static_cast<Index>(j);
      value[j] = start == Start::zero
                     ? 0
                     : static_cast<double>(start == Start::row ? p.row.at({at}) : p.c.data()[i * p.n + at]);
      size[j] = std::abs(value[j]);
    }
    for (Index q = 0; q < p.k; ++q) {
      const auto left = static_cast<double>(a.data[i * a.row_stride + q * a.col_stride]);
      for (std::size_t j = 0; j < value.size(); ++j) {
        const double term = left * static_cast<double>(b.data[q * b.row_stride + static_cast<Index>(j) * b.col_stride]);
        value[j] += term;
        size[j] += std::abs(term);
      }
    }
    for (std::size_t j = 0; j < value.size(); ++j) {
      const double error = std::abs(static_cast<double>(got.data()[i * p.n + static_cast<Index>(j)]) - value[j]);
      // Written so that a NaN is the worst.
      const double relative = error <= 0 ? 0 : error / (rounding * size[j]);
      if (!(relative <= worst)) worst = relative;
    }
  }
  return worst;
}

std::vector<Problem> problems() {
  Rng rng(5);
  std::vector<Problem> all;
  constexpr std::array<Index, 5> sizes{1, 7, 37, 130, 513};
  const auto any_size = [&] { return sizes[rng.below(sizes.size())]; };
  while (all.size() < 24) {
    const Index m = any_size(), n = any_size(), k = any_size();
    if (m * n * k <= 700'000) all.emplace_back(m, n, k, rng.below(2) == 1, rng.below(2) == 1, rng);
  }
  // Each size with each layout at least once, and shapes beyond every block of the kernel.
  for (const auto& [m, n, k] : {std::array<Index, 3>{130, 37, 513},
                                {513, 7, 130},
                                {7, 513, 37},
                                {37, 130, 1},
                                {1, 513, 513},
                                {513, 1, 7},
                                {290, 40, 20},
                                {20, 1100, 20},
                                {9, 20, 600}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        if (m * n * k < 700'000 || ta == tb) all.emplace_back(m, n, k, ta, tb, rng);
  return all;
}

}  // namespace

TEST_CASE("gemm is the product, from zero, from C and from a row") {
  for (const Problem& p : problems())
    for (const Start start : {Start::zero, Start::c, Start::row}) {
      const double worst = worst_error(p, start, product(p, start));
      CHECK_MESSAGE(worst <= 1, p.m, " x ", p.n, " x ", p.k, ", a transposed ", p.transposed_a, ", b transposed ",
                    p.transposed_b, ", start ", static_cast<int>(start), ": ", worst);
    }
}

TEST_CASE("the bits of a product do not depend on the number of threads") {
  Rng rng(6);
  std::vector<Problem> large;
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      large.emplace_back(130, 513, 50, ta, tb, rng);
      large.emplace_back(513, 17, 370, ta, tb, rng);  // too narrow to split by columns
    }
  for (const Problem& p : large) {
    std::vector<Tensor> results;
    for (const int threads : {1, 2, 3, 8}) {
      const ThreadCount count(threads);
      results.push_back(product(p, Start::row));
    }
    for (const Tensor& result : results) CHECK(same_bits(result, results[0]));
  }
}

TEST_CASE("the bits of a product do not depend on how rows and columns are split") {
  Rng rng(7);
  for (const Problem& p : problems()) {
    const auto row = static_cast<Index>(rng.below(static_cast<std::uint64_t>(p.m) + 1));
    const auto col = static_cast<Index>(rng.below(static_cast<std::uint64_t>(p.n) + 1));
    for (const Start start : {Start::zero, Start::c, Start::row})
      CHECK_MESSAGE(same_bits(product(p, start), in_pieces(p, start, row, col)), p.m, " x ", p.n, " x ", p.k,
                    " split at ", row, ", ", col);
  }
}

TEST_CASE("a product over nothing is what it starts from") {
  Rng rng(8);
  const Problem p(3, 5, 0, false, false, rng);
  check_values(product(p, Start::zero), std::vector<double>(15, 0.0));
  CHECK(same_bits(product(p, Start::c), p.c));
  const Tensor rows = product(p, Start::row);
  for (Index i = 0; i < 3; ++i) CHECK(std::memcmp(rows.data() + 5 * i, p.row.data(), p.row.span().size_bytes()) == 0);
}

TEST_CASE("nothing outside of C is written") {
  Rng rng(9);
  for (const Index n : {1, 5, 16, 31, 47, 70}) {
    const Index ldc = n + 3;
    const Problem p(13, n, 9, false, false, rng);
    const Tensor c = Tensor::full({14, ldc}, 77);
    gemm(p.m, p.n, p.k, p.a_view(), p.b_view(), c.mutable_data(), ldc);
    for (Index i = 0; i < 14; ++i)
      for (Index j = 0; j < ldc; ++j)
        if (i == 13 || j >= n) REQUIRE(c.at({i, j}) == 77);
  }
}

TEST_CASE("a NaN and an infinity in an operand come out, also against a zero") {
  Rng rng(10);
  Problem p(9, 40, 21, false, false, rng);
  p.a.mutable_data()[3 * 21 + 20] = std::numeric_limits<Scalar>::infinity();
  std::fill_n(p.b.mutable_data() + 20 * 40, 40, Scalar(0));
  const Tensor y = product(p, Start::zero);
  for (Index j = 0; j < 40; ++j) {
    CHECK(std::isnan(y.at({3, j})));
    CHECK_FALSE(std::isnan(y.at({2, j})));
  }
}
