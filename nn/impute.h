#pragma once

#include <handrail/nn/module.h>

namespace handrail::nn {

/// Puts a constant in the place of a number that stands for a missing value, such as -999, in each column that has one.
/// The constants are fitted on the training data and saved with the model. x: [N, features], and so is the output.
class Impute : public Layer {
 public:
  /// Starts without codes, so that forward returns its input; load_weights gives it those that it was fitted with.
  /// Throws OptionError unless features is positive.
  explicit Impute(Index features);
  /// Takes for each column the lower median of the values that are not its code. codes: [features]; is_coded:
  /// [features], 1 for a column that has a code, else 0. Throws ShapeError unless inputs is [N, features], not empty,
  /// and DataError naming a column that has nothing but its code.
  static Impute fit(const Tensor& inputs, const Tensor& codes, const Tensor& is_coded);

  /// Throws ShapeError unless x is [N, features].
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;

  const Tensor code;      // [features]
  const Tensor is_coded;  // [features], 1 or 0
  const Tensor value;     // [features], what takes the place of the code

 private:
  Impute(Tensor codes, Tensor are_coded, Tensor values);
};

}  // namespace handrail::nn
