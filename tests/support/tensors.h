#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <vector>

#include <handrail/core/system/parallel.h>
#include <handrail/core/tensor.h>

/// A leaf whose gradient is wanted.
inline handrail::Tensor leaf(handrail::Tensor tensor) {
  tensor.set_requires_grad(true);
  return tensor;
}

/// Checks every element against the wanted one, to `tolerance` times the larger of 1 and its size.
inline void check_values(const handrail::Tensor& tensor, const std::vector<double>& want, double tolerance = 1e-6) {
  REQUIRE(tensor.defined());
  REQUIRE(tensor.size() == std::ssize(want));
  for (std::size_t i = 0; i < want.size(); ++i) {
    const auto got = static_cast<double>(tensor.span()[i]);
    const bool close = std::abs(got - want[i]) <= tolerance * std::max(1.0, std::abs(want[i]));
    CHECK_MESSAGE(close, "element ", i, ": want ", want[i], ", got ", got);
  }
}

/// Whether shapes and elements are the same, bit for bit.
inline bool same_bits(const handrail::Tensor& a, const handrail::Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.span().size_bytes()) == 0;
}

/// Runs on that many threads while it lives.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(handrail::num_threads()) { handrail::set_num_threads(count); }
  ~ThreadCount() { handrail::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};
