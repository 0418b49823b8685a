#pragma once

#include <handrail/core/kernels/arithmetic.h>
#include <handrail/core/kernels/dropout.h>
#include <handrail/core/kernels/elementwise.h>
#include <handrail/core/kernels/losses.h>
#include <handrail/core/kernels/norms.h>
#include <handrail/core/kernels/gemm_tiles.h>
#include <handrail/core/kernels/softmax.h>
#include <handrail/core/kernels/updates.h>

// Inside the kernels: the table of the functions, as this source compiles them.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

constexpr Kernels this_set(const char* instructions) {
  return {.instructions = instructions,
          .tile_rows = tile_rows,
          .tile_cols = tile_vectors * lanes,
          .lanes = lanes,
          .gemm = gemm,
          .affine = affine,
          .from_bytes = from_bytes,
          .scale = scale,
          .multiply = multiply,
          .dropout = dropout,
          .add = arithmetic<Add>(),
          .sub = arithmetic<Sub>(),
          .mul = arithmetic<Mul>(),
          .div = arithmetic<Div>(),
          .sum = sum,
          .sum_of_squares = sum_of_squares,
          .squared_distance = squared_distance,
          .largest_magnitude = largest_magnitude,
          .add_column_sums = add_column_sums,
          .add_column_products = add_column_products,
          .sum_axis = sum_axis,
          .sum_axis_backward = sum_axis_backward,
          .exp_rows = exp_rows,
          .divide_rows = divide_rows,
          .softmax_backward = softmax_backward,
          .log_softmax = log_softmax,
          .log_softmax_backward = log_softmax_backward,
          .cross_entropy_backward = cross_entropy_backward,
          .binary_cross_entropy = binary_cross_entropy,
          .binary_cross_entropy_backward = binary_cross_entropy_backward,
          .mse_loss_backward = mse_loss_backward,
          .layer_norm = layer_norm,
          .layer_norm_backward = layer_norm_backward,
          .column_moments = column_moments,
          .batch_norm = batch_norm,
          .batch_norm_backward = batch_norm_backward,
          .adam = adam,
          .sgd = sgd,
          .sgd_momentum = sgd_momentum,
#define HANDRAIL_FIELD(name, Op) .name = elementwise<Op>(),
          HANDRAIL_ELEMENTWISE_OPS(HANDRAIL_FIELD)
#undef HANDRAIL_FIELD
  };
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
