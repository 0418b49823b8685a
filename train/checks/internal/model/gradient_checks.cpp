#include <handrail/train/checks/internal/model/gradient_checks.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// Weights and the direction in which they are moved. Its end moves them back.
class Line {
 public:
  explicit Line(std::span<const Parameter> parameters) {
    double squares = 0, weights = 0, count = 0;
    for (const Parameter& p : parameters) {
      const Tensor gradient = p.tensor.requires_grad() ? p.tensor.grad() : Tensor();
      if (!gradient.defined()) continue;
      moved_.push_back({p.tensor, p.tensor.clone(), gradient.clone()});
      for (const Scalar g : gradient.span()) squares += static_cast<double>(g) * static_cast<double>(g);
      for (const Scalar w : p.tensor.span()) weights += static_cast<double>(w) * static_cast<double>(w);
      count += static_cast<double>(p.tensor.size());
    }
    slope_ = std::sqrt(squares);
    scale_ = std::sqrt(std::max(weights, 4e-4 * count));
  }
  ~Line() { move(0); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  double slope() const { return slope_; }  // the norm of the gradient
  double scale() const { return scale_; }  // the norm of the weights, or of weights of 0.02 when that is larger
  void move(double h) {
    const double factor = slope_ > 0 ? h / slope_ : 0;
    for (const auto& [weights, start, gradient] : moved_) {
      Scalar* w = weights.mutable_data();
      for (Index i = 0; i < weights.size(); ++i)
        w[i] = static_cast<Scalar>(static_cast<double>(start.data()[i]) +
                                   factor * static_cast<double>(gradient.data()[i]));
    }
  }

 private:
  struct Moved {
    Tensor weights, start, gradient;
  };
  std::vector<Moved> moved_;
  double slope_ = 0, scale_ = 0;
};

Tensor standardised_columns(const Tensor& x) {
  constexpr double cut = 3;
  Tensor result = x.clone();
  const Index rows = x.shape()[0], width = x.size() / rows;
  const auto n = static_cast<double>(rows);
  Scalar* values = result.mutable_data();
  for (Index j = 0; j < width; ++j) {
    double mean = 0, variance = 0;
    for (Index i = j; i < x.size(); i += width) mean += static_cast<double>(values[i]) / n;
    for (Index i = j; i < x.size(); i += width) variance += std::pow(static_cast<double>(values[i]) - mean, 2) / n;
    const double scale = variance > 0 ? 1 / std::sqrt(variance) : 0;
    for (Index i = j; i < x.size(); i += width)
      values[i] = static_cast<Scalar>(std::clamp((static_cast<double>(values[i]) - mean) * scale, -cut, cut));
  }
  return result;
}

}  // namespace

bool is_of_usual_size(const Batch& batch, Task task) {
  const auto usual = [](const Tensor& x) {
    const double size = root_mean_square(x);
    return size > 0.01 && size < 10;
  };
  return usual(batch.inputs) && (task != Task::regression || usual(batch.targets));
}

Batch standardised(const Batch& batch, Task task) {
  return {standardised_columns(batch.inputs),
          task == Task::regression ? standardised_columns(batch.targets) : batch.targets};
}

std::optional<Anomaly> check_gradient(std::span<const Parameter> parameters, const std::function<double()>& loss,
                                      double at) {
  constexpr std::array<double, 3> changes{0.02, 0.004, 0.0008};  // of the loss
  constexpr double tolerance = 0.3, max_move = 0.3;              // of 1; of the weights
  Line line(parameters);
  const double size = std::abs(at);
  if (!is_finite(line.slope()) || line.slope() == 0 || !is_finite(at) || size == 0) return std::nullopt;
  // The slope over a distance to both sides, over what the gradient says.
  const auto ratio_over = [&](double h) {
    line.move(h);
    const double above = loss();
    line.move(-h);
    return (above - loss()) / (2 * h * line.slope());
  };
  double best = HUGE_VAL;
  if (const double farthest = max_move * line.scale(); changes.back() * size / line.slope() > farthest) {
    // A right gradient is too flat here to be measured. A wrong one may hide a slope.
    constexpr double min_ratio = 10, min_change = 0.02;
    const double far = ratio_over(farthest), near = ratio_over(farthest / 2);
    const bool is_straight = far > 0.5 * near && near > 0.5 * far;
    if (!is_straight || far < min_ratio || far * farthest * line.slope() < min_change * size) return std::nullopt;
    best = near;
  } else {
    for (const double change : changes) {
      const double ratio = ratio_over(change * size / line.slope());
      if (std::abs(ratio - 1) < std::abs(best - 1)) best = ratio;
      if (std::abs(best - 1) < tolerance) return std::nullopt;
    }
  }
  if (!is_finite(best)) return std::nullopt;  // the guards report it
  return Anomaly{
      .name = "wrong_gradient",
      .where = parameters.size() == 1 ? parameters.front().name : "all parameters together",
      .evidence = concat("a small step along its gradient changes the loss by ", short_form(best, 3),
                         " times what the gradient says"),
      .cause =
          "a backward function that does not belong to its forward function, or a loss that is detached "
          "from a part of the model",
      .remedy = "check your own ops with gradcheck(), and look for detach() between the parameter and the loss"};
}

}  // namespace handrail::train
