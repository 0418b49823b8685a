#pragma once

#include <handrail/core/kernels.h>

// Inside the library: long sums.

namespace handrail::detail {

/// term(begin) + ... + term(end - 1) in double: several sums side by side, which compilers vectorise, in an order
/// that does not depend on the size of vectors.
template <class Term>
double sum(Index begin, Index end, Term term) {
  constexpr Index lanes = 16;
  double sums[lanes] = {};
  Index i = begin;
  for (; i + lanes <= end; i += lanes)
    for (Index j = 0; j < lanes; ++j) sums[j] += term(i + j);
  for (; i < end; ++i) sums[0] += term(i);
  double total = 0;
  for (const double s : sums) total += s;
  return total;
}

inline double sum_of_squares(const Scalar* values, Index begin, Index end) {
  return kernels_here().sum_of_squares(values + begin, end - begin);
}

}  // namespace handrail::detail
