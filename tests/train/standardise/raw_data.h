#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "support/tasks.h"

// Data that is raw, and a model for it.

namespace raw_data {

using namespace handrail;

// Columns of several scales, which say which of three classes a row has; column 3 is constant.
inline train::TensorDataset raw_classes(Index count = 300) {
  Rng rng(3);
  const Tensor z = normal({count, 4}, 0, 1, rng), targets(Shape{count});
  const double scales[] = {1000, 0.01, 30, 0}, means[] = {5000, 0.5, -100, 7};
  for (Index i = 0; i < count; ++i) {
    const double score = z.at({i, 0}) + z.at({i, 1}) - z.at({i, 2});
    targets.mutable_data()[i] = score < -0.7 ? 0 : score < 0.7 ? 1 : 2;
    for (Index j = 0; j < 4; ++j)
      z.mutable_data()[4 * i + j] = static_cast<Scalar>(means[j] + scales[j] * static_cast<double>(z.at({i, j})));
  }
  return {z, targets};
}

// Raw inputs, and targets about `offset` that vary by `scale`.
inline train::TensorDataset raw_values(double offset, double scale, Index count = 300) {
  const auto data = raw_classes(count);
  const Tensor targets(Shape{count, 1});
  Rng rng(4);
  for (Index i = 0; i < count; ++i) {
    const Scalar* x = data.inputs().data() + 4 * i;
    const double z = (static_cast<double>(x[0]) - 5000) / 1000 - (static_cast<double>(x[2]) + 100) / 30;
    targets.mutable_data()[i] = static_cast<Scalar>(offset + scale * (std::tanh(z) + 0.1 * rng.normal()));
  }
  return {data.inputs(), targets};
}

inline nn::Sequential model_of(Index outputs, std::uint64_t seed = 1) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{4, 16, rng}, nn::ReLU{}, nn::Linear{16, outputs, rng}};
}

inline train::TensorDataset with_inputs(const train::TensorDataset& data, const std::vector<Index>& rows,
                                        Scalar value) {
  const Tensor inputs = data.inputs().clone();
  for (const Index row : rows) inputs.mutable_data()[4 * row] = value;
  return {inputs, data.targets()};
}

inline std::vector<Scalar> values_of(const Tensor& x) { return {x.span().begin(), x.span().end()}; }

// The share of the variance that the predictions explain.
inline double r2(train::Trainer& trainer, const train::TensorDataset& data) {
  train::R2 r2;
  r2.add(trainer.predict(data), data.targets());
  return r2.result();
}

inline bool has_line(const train::FitResult& result, const std::string& name) {
  for (const auto& item : result.summary)
    if (item.name == name) return true;
  return false;
}

}  // namespace raw_data
