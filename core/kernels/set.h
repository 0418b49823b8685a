#pragma once

#include <handrail/core/kernels/activations.h>
#include <handrail/core/kernels/elementwise.h>
#include <handrail/core/kernels/product.h>
#include <handrail/core/kernels/updates.h>

// Inside the kernels: the table of the functions as compiled here.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

constexpr Kernels this_set(const char* instructions) {
  return {.instructions = instructions,
          .tile_rows = tile_rows,
          .tile_cols = tile_vectors * lanes,
          .lanes = lanes,
          .product = product,
          .add_column_sums = add_column_sums,
          .relu = relu,
          .relu_backward = relu_backward,
          .exp = exp,
          .tanh = tanh,
          .sigmoid = sigmoid,
          .gelu = gelu,
          .gelu_backward = gelu_backward,
          .exp_rows = exp_rows,
          .cross_entropy_backward = cross_entropy_backward,
          .sum_of_squares = sum_of_squares,
          .largest_magnitude = largest_magnitude,
          .adam = adam,
          .sgd = sgd,
          .sgd_momentum = sgd_momentum};
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
