#pragma once

#include <concepts>

#include <handrail/nn/module.h>

namespace handrail::nn {

/// (x - mean) / std for each column, with constants fitted on the training data and saved with the
/// model: as the first layer, it takes raw inputs of whatever scale. x: [N, features].
class Standardize : public Layer {
 public:
  /// Mean 0 and scale 1, for load_weights to replace: a program that predicts has no training data to fit on.
  /// Throws OptionError unless features is positive.
  explicit Standardize(Index features);
  /// The mean and standard deviation (with N) of each column of inputs [N, features]. A column that
  /// is constant keeps scale 1. Throws ShapeError unless there are rows; DataError naming row and
  /// column on a value that is not finite.
  static Standardize fit(const Tensor& inputs);
  /// The same for a data set that has its inputs at hand.
  template <class Data>
  requires requires(const Data& data) {
    { data.inputs() } -> std::convertible_to<Tensor>;
  }
  static Standardize fit(const Data& data) { return fit(static_cast<const Tensor&>(data.inputs())); }

  Tensor forward(const Tensor& x) const override;
  /// y * std + mean: what forward made of it comes back. For targets that were standardised, [N, features]:
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
