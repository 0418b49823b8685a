#pragma once

#include <handrail/core/kernels/arithmetic.h>
#include <handrail/core/kernels/dropout.h>
#include <handrail/core/kernels/elementwise.h>
#include <handrail/core/kernels/losses.h>
#include <handrail/core/kernels/norms.h>
#include <handrail/core/kernels/product.h>
#include <handrail/core/kernels/softmax.h>
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
          .relu = {forward<positive>, relu_backward},
          .square = {forward<squared>, backward<square_slope>},
          .abs = {forward<absolute>, backward<abs_slope>},
          .sqrt = {forward<root>, backward<sqrt_slope>},
          .exp = {forward<exponential>, backward<exp_slope>},
          .log = {forward<logarithm>, backward<log_slope>},
          .tanh = {forward<tangent>, backward<tanh_slope>},
          .sigmoid = {forward<logistic>, backward<sigmoid_slope>},
          .softplus = {forward<smooth_positive>, backward<logistic>},
          .gelu = {forward<gaussian_linear>, backward<gelu_slope>},
          .affine = affine,
          .from_bytes = from_bytes,
          .scale = scale,
          .multiply = multiply,
          .dropout = dropout,
          .add = {forward<sum_of>, backward<true, one>, backward<false, one>},
          .sub = {forward<difference_of>, backward<true, one>, backward<false, minus_one>},
          .mul = {forward<product_of>, backward<true, right>, backward<false, left>},
          .div = {forward<quotient_of>, backward<true, quotient_slope_a>, backward<false, quotient_slope_b>},
          .sum = sum,
          .sum_of_squares = sum_of_squares,
          .squared_distance = squared_distance,
          .largest_magnitude = largest_magnitude,
          .add_column_sums = add_column_sums,
          .add_column_products = add_column_products,
          .sum_axis = sum_axis,
          .spread_axis = spread_axis,
          .exp_rows = exp_rows,
          .divide_rows = divide_rows,
          .softmax_backward = softmax_backward,
          .log_softmax = log_softmax,
          .log_softmax_backward = log_softmax_backward,
          .cross_entropy_backward = cross_entropy_backward,
          .binary_cross_entropy = binary_cross_entropy,
          .binary_cross_entropy_backward = binary_cross_entropy_backward,
          .scaled_difference = scaled_difference,
          .layer_norm = layer_norm,
          .layer_norm_backward = layer_norm_backward,
          .column_moments = column_moments,
          .inverse_roots = inverse_roots,
          .batch_norm = batch_norm,
          .batch_norm_backward = batch_norm_backward,
          .adam = adam,
          .sgd = sgd,
          .sgd_momentum = sgd_momentum};
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
