#include <algorithm>
#include <cmath>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/internal/kernels.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

void check_shapes(const char* op, const Tensor& predictions, const Tensor& targets) {
  if (predictions.shape() != targets.shape() || predictions.size() == 0)
    fail<ShapeError>(op, ": want predictions and targets of the same shape, not empty; got ", predictions.shape(),
                     " and ", targets.shape(), "; reshape() one of them");
}

// The mean of term(d), a double, over the differences d of predictions and targets. slope(d) is its derivative.
template <class Term, class Slope>
Tensor mean_of_differences(const char* op, const Tensor& predictions, const Tensor& targets, Term term, Slope slope) {
  check_shapes(op, predictions, targets);
  const double total = (array(predictions) - array(targets)).unaryExpr(term).sum();
  const Tensor loss = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(predictions.size())));
  return Tape::record(op, {predictions, targets}, loss,
                      [slope, p = Saved(predictions), t = Saved(targets)](const Backward& b) {
                        const Scalar scale = b.output_grad().item() / static_cast<Scalar>(p->size());
                        b[0] += scale * (array(*p) - array(*t)).unaryExpr(slope);
                        b[1] += -scale * (array(*p) - array(*t)).unaryExpr(slope);
                      });
}

}  // namespace

Tensor mse_loss(const Tensor& predictions, const Tensor& targets) {
  check_shapes("mse_loss", predictions, targets);
  const double total = kernels_here().squared_distance(predictions.data(), targets.data(), predictions.size());
  const Tensor loss = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(predictions.size())));
  return Tape::record(
      "mse_loss", {predictions, targets}, loss, [p = Saved(predictions), t = Saved(targets)](const Backward& b) {
        const Scalar scale = 2 * b.output_grad().item() / static_cast<Scalar>(p->size());
        const auto add_to = [&](const GradSlot& slot, const Tensor& from, const Tensor& to) {
          if (!slot.needed()) return;
          const GradTarget grad = slot.target();
          kernels_here().mse_loss_backward(from.data(), to.data(), from.size(), scale, grad.data, grad.accumulate);
        };
        add_to(b[0], *p, *t);
        add_to(b[1], *t, *p);
      });
}

Tensor l1_loss(const Tensor& predictions, const Tensor& targets) {
  return mean_of_differences(
      "l1_loss", predictions, targets, [](Scalar d) { return static_cast<double>(std::abs(d)); },
      [](Scalar d) { return static_cast<Scalar>((d > 0) - (d < 0)); });
}

Tensor huber_loss(const Tensor& predictions, const Tensor& targets, double delta) {
  const auto limit = static_cast<Scalar>(delta);
  if (!(limit > 0)) fail<OptionError>("huber_loss: want delta > 0; got ", delta);
  // With c the difference d clamped to [-delta, delta], both cases of the loss are c (d - c / 2), and its slope is c.
  const auto clamped = [limit](Scalar d) { return std::clamp(d, -limit, limit); };
  return mean_of_differences(
      "huber_loss", predictions, targets,
      [clamped](Scalar d) {
        const auto c = static_cast<double>(clamped(d));
        return c * (static_cast<double>(d) - c / 2);
      },
      clamped);
}

Tensor huber_loss(const Tensor& predictions, const Tensor& targets) { return huber_loss(predictions, targets, 1); }

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
