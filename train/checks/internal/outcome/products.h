#pragma once

#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// Columns for a linear model that is to bend: the standardised inputs, their squares and their products in pairs. The
/// mean and the deviation are those of the rows that it is made of.
class Products {
 public:
  explicit Products(const Tensor& inputs);
  /// How many columns D inputs become.
  static Index columns(Index inputs) { return inputs * (inputs + 3) / 2; }
  /// inputs: [N, ...] of D columns. Returns [N, columns(D)].
  Tensor of(const Tensor& inputs) const;

 private:
  std::vector<double> mean_, scale_;
};

}  // namespace handrail::train
