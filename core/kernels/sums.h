#pragma once

#include <handrail/core/kernels/functions.h>
#include <handrail/core/kernels/gradient.h>

// Inside the kernels: sums and magnitudes.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// The bits of |x| as an integer. They are ordered as the magnitudes are, with infinity above all numbers and NaN above
// infinity, so the largest of many tells whether all are finite. The integer is signed, as SSE2 compares no other.
using Bits = decltype(bits_of(Scalar{}));

constexpr Bits magnitude_mask = static_cast<Bits>(sizeof(Scalar) == 4 ? 0x7FFFFFFFLL : 0x7FFFFFFFFFFFFFFFLL);
inline Bits magnitude(Scalar x) { return bits_of(x) & magnitude_mask; }
inline Bits larger(Bits a, Bits b) { return a > b ? a : b; }
inline double to_double(Bits magnitude) { return static_cast<double>(from_bits(magnitude)); }

// Partial sums that are computed side by side, which compilers vectorise.
constexpr Index side_by_side = 16;

// term(0) + ... + term(size - 1) in double, in an order that is the same for every instruction set.
template <class Term>
inline double long_sum(Index size, Term term) {
  double sums[side_by_side] = {};
  Index i = 0;
  for (; i + side_by_side <= size; i += side_by_side)
    for (Index j = 0; j < side_by_side; ++j) sums[j] += static_cast<double>(term(i + j));
  for (; i < size; ++i) sums[0] += static_cast<double>(term(i));
  double total = 0;
  for (Index j = 0; j < side_by_side; ++j) total += sums[j];
  return total;
}

// So many terms are summed in Scalar. Longer sums add such parts in double, which keeps their digits.
constexpr Index summed_in_scalar = 512;

template <class Term>
inline Scalar short_sum(Index size, Term term) {
  Scalar total = 0;
  Index i = 0;
  if (size >= side_by_side) {
    Scalar sums[side_by_side] = {};
    for (; i + side_by_side <= size; i += side_by_side)
      for (Index j = 0; j < side_by_side; ++j) sums[j] += term(i + j);
    for (Index half = side_by_side / 2; half > 0; half /= 2)
      for (Index j = 0; j < half; ++j) sums[j] += sums[j + half];
    total = sums[0];
  }
  for (; i < size; ++i) total += term(i);
  return total;
}

// term(0) + ... + term(size - 1): faster than long_sum, and less exact.
template <class Term>
inline Scalar row_sum(Index size, Term term) {
  constexpr Index part = side_by_side * summed_in_scalar;
  if (size <= part) return short_sum(size, term);
  double total = 0;
  for (Index first = 0; first < size; first += part)
    total += static_cast<double>(
        short_sum(size - first < part ? size - first : part, [=](Index i) { return term(first + i); }));
  return static_cast<Scalar>(total);
}

// to[j] += the sum of term(i, j) over the rows i, in their order.
template <class Term>
inline void add_column_terms(Index rows, Index cols, Term term, Scalar* __restrict to) {
  if (rows <= summed_in_scalar) {
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < cols; ++j) to[j] += term(i, j);
    return;
  }
  constexpr Index strip = 64;  // columns that are summed at a time
  for (Index first = 0; first < cols; first += strip) {
    const Index width = cols - first < strip ? cols - first : strip;
    double sums[strip] = {};
    for (Index row = 0; row < rows; row += summed_in_scalar) {
      const Index end = rows - row < summed_in_scalar ? rows : row + summed_in_scalar;
      Scalar part[strip] = {};
      for (Index i = row; i < end; ++i)
        for (Index j = 0; j < width; ++j) part[j] += term(i, first + j);
      for (Index j = 0; j < width; ++j) sums[j] += static_cast<double>(part[j]);
    }
    for (Index j = 0; j < width; ++j) to[first + j] += static_cast<Scalar>(sums[j]);
  }
}

double sum(const Scalar* x, Index size) {
  return long_sum(size, [x](Index i) { return x[i]; });
}

double sum_of_squares(const Scalar* x, Index size) {
  return long_sum(size, [x](Index i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
}

double squared_distance(const Scalar* a, const Scalar* b, Index size) {
  return long_sum(size, [a, b](Index i) {
    const auto d = static_cast<double>(a[i] - b[i]);
    return d * d;
  });
}

double largest_magnitude(const Scalar* x, Index size) {
  Bits largest = 0;
  for (Index i = 0; i < size; ++i) largest = larger(largest, magnitude(x[i]));
  return to_double(largest);
}

void add_column_sums(const Scalar* from, Index rows, Index cols, Scalar* __restrict to) {
  add_column_terms(
      rows, cols, [=](Index i, Index j) { return from[i * cols + j]; }, to);
}

void add_column_products(const Scalar* a, const Scalar* b, Index rows, Index cols, Scalar* __restrict to) {
  add_column_terms(
      rows, cols, [=](Index i, Index j) { return a[i * cols + j] * b[i * cols + j]; }, to);
}

void sum_axis(const Scalar* x, Index outer, Index count, Index inner, Scalar scale, Scalar* __restrict y) {
  for (Index o = 0; o < outer; ++o, x += count * inner, y += inner) {
    if (inner == 1) {
      *y = scale * row_sum(count, [x](Index i) { return x[i]; });
    } else {
      for (Index i = 0; i < inner; ++i) y[i] = 0;
      add_column_sums(x, count, inner, y);
      for (Index i = 0; i < inner; ++i) y[i] *= scale;
    }
  }
}

void sum_axis_backward(const Scalar* gy, Index outer, Index count, Index inner, Scalar scale, Scalar* __restrict to,
                       bool accumulate) {
  for (Index o = 0; o < outer; ++o, gy += inner) {
    if (inner == 1) {
      const Scalar g = scale * *gy;
      write(to, count, accumulate, [g](Index) { return g; });
      to += count;
      continue;
    }
    for (Index c = 0; c < count; ++c, to += inner) write(to, inner, accumulate, [=](Index i) { return scale * gy[i]; });
  }
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
