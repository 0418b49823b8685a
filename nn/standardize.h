#pragma once

#include <concepts>

#include <handrail/nn/module.h>

namespace handrail::nn {

/// (x - mean) / std for each column, with constants that are fitted on the training data and saved with the model. As
/// the first layer, it lets a model take inputs of any scale. x: [N, features], and so is the output.
class Standardize : public Layer {
 public:
  /// Starts with mean 0 and standard deviation 1, which load_weights replaces: for a program that predicts, as it has
  /// no training data to fit on. Throws OptionError unless features is positive.
  explicit Standardize(Index features);
  /// Takes the mean and the standard deviation (of the population: divided by N) of each column of inputs [N,
  /// features]. A constant column keeps the standard deviation 1. Throws ShapeError unless inputs has two dimensions
  /// and N > 0; DataError naming row and column on a value that is not finite.
  static Standardize fit(const Tensor& inputs);
  /// Fits on data.inputs(), for a data set that holds its inputs as one tensor.
  template <class Data>
  requires requires(const Data& data) {
    { data.inputs() } -> std::convertible_to<Tensor>;
  }
  static Standardize fit(const Data& data) { return fit(static_cast<const Tensor&>(data.inputs())); }

  /// Throws ShapeError unless x is [N, features].
  Tensor forward(const Tensor& x) const override;
  bool normalises() const override { return true; }
  /// y * std + mean, the inverse of forward. y: [N, features], else ShapeError. For targets that were standardised:
  ///   const auto scale = nn::Standardize::fit(targets);  // train on scale(targets)
  ///   const Tensor predicted = scale.undo(trainer.predict(test));
  Tensor undo(const Tensor& y) const;

  const Tensor mean;     // [features]
  const Tensor inverse;  // [features], 1 / standard deviation

 private:
  Standardize(Tensor mean, Tensor inverse);
  void check_width(const char* name, const Tensor& x) const;
};

}  // namespace handrail::nn
