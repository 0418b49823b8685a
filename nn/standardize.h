#pragma once

#include <concepts>
#include <string>

#include <handrail/nn/module.h>

namespace handrail::nn {

struct Whitening;

/// What Standardize does besides subtracting the mean and dividing by the standard deviation.
struct StandardizeOptions {
  /// Also multiplies by a symmetric matrix, after which the columns it was fitted on are uncorrelated, each still with
  /// variance 1: ZCA-cor of Kessy, Lewin, Strimmer (2018). Of all whitenings it changes the standardised columns the
  /// least, so that column j stays recognisable. Gradient descent gains most where columns are strongly correlated. Fit
  /// it on many more rows than there are features: what little variation there is in a direction is magnified.
  /// A direction in which the standardised inputs have a variance of at most 1e-8, or do not vary beyond their
  /// rounding, counts as constant and keeps scale 1, as a constant column does. So no standardised input grows
  /// more than 10,000 times.
  bool whiten = false;
  /// In columns with outliers or heavy tails, takes the median for the mean and the range between the quartiles / 1.349
  /// for the standard deviation, and clips the output smoothly to (-3, 3): z / sqrt(1 + (z / 3)^2), as RealMLP does
  /// (Holzmuller, Grinsztajn, Steinwart 2024). These are columns whose standard deviation is more than 1.5 times that
  /// range / 1.349, or that have a value more than 25 times as far from the median. Where the range is 0, half of
  /// the values being equal, the median distance of the others takes its place. Other columns are scaled as without
  /// this option. Not together with whiten.
  bool robust = false;
  /// The other way round: forward is undo, and undo is forward. As the last layer, it lets a model predict in the units
  /// of the targets that it was fitted on. Keras has the same option. Not together with robust.
  bool invert = false;
};

/// (x - mean) / std for each column, with constants that are fitted on the training data and saved with the model. As
/// the first layer, it lets a model take inputs of any scale. x: [N, features], and so is the output.
class Standardize : public Layer {
 public:
  /// Starts with mean 0 and standard deviation 1, which load_weights replaces: for a program that predicts, as it has
  /// no training data to fit on. Throws OptionError unless features is positive, and when `robust` is set
  /// together with `whiten` or `invert`.
  explicit Standardize(Index features, StandardizeOptions options = {});
  /// Takes the mean and the standard deviation (of the population: divided by N) of each column of inputs [N,
  /// features]. A constant column keeps the standard deviation 1. `robust` says what is taken instead. Throws
  /// ShapeError unless inputs has two dimensions and elements; DataError naming row and column on a value that is not
  /// finite; OptionError when `robust` is set together with `whiten` or `invert`.
  static Standardize fit(const Tensor& inputs, StandardizeOptions options = {});
  /// Fits on data.inputs(), for a data set that holds its inputs as one tensor.
  template <class Data>
  requires requires(const Data& data) {
    { data.inputs() } -> std::convertible_to<Tensor>;
  }
  static Standardize fit(const Data& data, StandardizeOptions options = {}) {
    return fit(static_cast<const Tensor&>(data.inputs()), options);
  }

  /// Throws ShapeError unless the last dimension of x is `features`.
  Tensor forward(const Tensor& x) const override;
  std::vector<Operation> operations() const override;
  bool normalises() const override { return !options_.invert; }
  std::string settings() const override;
  /// The options that it was made with, which are not saved with the model.
  const StandardizeOptions& options() const { return options_; }
  /// The inverse of forward, which is y * std + mean without whitening. y: [..., features], else ShapeError. For
  /// targets that were standardised:
  ///   const auto scale = nn::Standardize::fit(targets);  // train on scale(targets)
  ///   const Tensor predicted = scale.undo(trainer.predict(test));
  Tensor undo(const Tensor& y) const;

  const Tensor mean;     // [features]
  const Tensor inverse;  // [features], 1 / standard deviation
  const Tensor whiten;   // [features, features], what standardised rows are multiplied by; undefined without whitening
  const Tensor color;    // [features, features], the inverse of whiten; undefined without whitening
  const Tensor bend;     // [features], 1 / 3 for columns that are clipped, else 0; undefined unless robust

 private:
  Standardize(Tensor mean, Tensor inverse, Tensor bend, const Whitening& whitening, StandardizeOptions options);
  void check_width(const char* name, const Tensor& x) const;
  Tensor standardized(const Tensor& x) const;
  Tensor in_units(const Tensor& y) const;

  StandardizeOptions options_;
};

}  // namespace handrail::nn
