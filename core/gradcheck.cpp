#include <handrail/core/gradcheck.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/random.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

constexpr RandomPosition fixed{.seed = 1, .position = 1};

}  // namespace

GradcheckResult gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
                          GradcheckOptions options) {
  if (sizeof(Scalar) < sizeof(double))
    fail<OptionError>("gradcheck: want the double build, handrail::handrail_f64; got float");
  if (std::ranges::none_of(inputs, [](const Tensor& input) { return input.requires_grad(); }))
    fail<OptionError>("gradcheck: want an input that requires a gradient; call set_requires_grad(true) on it");
  Tensor weights;
  double magnitude = 0;  // the largest sum of absolute terms so far, which rounding errors are relative to
  const auto value = [&] {
    const Tape tape(options.mode, fixed);
    const Tensor y = f(inputs);
    double total = 0, size = 0;
    for (Index i = 0; i < y.size(); ++i) {
      const double term = static_cast<double>(weights.data()[i]) * static_cast<double>(y.data()[i]);
      total += term;
      size += std::abs(term);
    }
    magnitude = std::max(magnitude, size);
    return total;
  };
  {
    for (const Tensor& input : inputs) input.zero_grad();
    Tape tape(options.mode, fixed);
    const Tensor y = f(inputs);
    Rng rng(7);
    weights = uniform(y.shape(), 0.5, 1.5, rng);
    tape.backward(sum(mul(y, weights)));
  }

  GradcheckResult result{.passed = true, .max_relative_error = 0, .worst = {}};
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Tensor& input = inputs[k];
    if (!input.requires_grad()) continue;
    const Tensor grad = input.grad().defined() ? input.grad() : Tensor::zeros(input.shape());
    double largest = 0;
    for (const Scalar g : grad.span()) largest = std::max(largest, std::abs(static_cast<double>(g)));
    for (Index i = 0; i < input.size(); ++i) {
      const Scalar x = input.data()[i];
      const double h = options.step * std::max(1.0, std::abs(static_cast<double>(x)));
      const auto at = [&](double offset) {
        input.mutable_data()[i] = static_cast<Scalar>(static_cast<double>(x) + offset);
        return value();
      };
      const double numeric = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h);
      input.mutable_data()[i] = x;
      const auto analytic = static_cast<double>(grad.data()[i]);
      // Where the gradient is zero, as that of a bias before batch_norm, the difference is rounding alone: it must not
      // count as more than the tolerance.
      const double rounding = 8 * std::numeric_limits<double>::epsilon() * magnitude / h;
      const double scale =
          std::max({std::abs(numeric), std::abs(analytic), 1e-3 * largest, rounding / options.tolerance, 1e-12});
      const double error = std::abs(numeric - analytic) / scale;
      // Written so that a NaN counts as the worst, here and below.
      if (!(error <= result.max_relative_error)) {
        TextStream where;
        where << "input " << k << ", element " << i << ": backward " << analytic << ", differences " << numeric;
        result.worst = where.str();
        result.max_relative_error = error;
        if (!(error <= options.tolerance)) result.passed = false;
        if (std::isnan(error)) return result;
      }
    }
  }
  return result;
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
