#pragma once

#include <cstdint>
#include <vector>

#include <handrail/core/tensor.h>

// The inputs of the reference figures, by a formula that make_figures.py has too.

namespace reference {

/// The k-th input: between -2 and 2, never 0, a multiple of 1/128 and so exact in float.
inline double value(std::uint32_t k) {
  std::uint32_t h = k * 2654435761u;
  h ^= h >> 15;
  h *= 2246822519u;
  h ^= h >> 13;
  return (static_cast<double>(h >> 24) - 127.5) / 64;
}

/// A tensor of factor * value(first), factor * value(first + 1), ...
inline handrail::Tensor values(const handrail::Shape& shape, std::uint32_t first, double factor = 1) {
  const handrail::Tensor tensor(shape);
  for (handrail::Scalar& element : tensor.mutable_span())
    element = static_cast<handrail::Scalar>(factor * value(first++));
  return tensor;
}

}  // namespace reference
