#include <handrail/train/metrics/sample_losses.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace handrail::train {
namespace {

// The loss of a sample, in double: in float the small losses of a model that has memorised its data are rounded to 0.
// outputs: [C]; targets: the class, or [C]. NaN for a target that is no class.
double loss_of(Task task, std::span<const Scalar> outputs, std::span<const Scalar> targets) {
  double sum = 0;
  if (task == Task::multiclass) {
    const auto target = static_cast<double>(targets[0]);
    if (!(target >= 0 && target < static_cast<double>(outputs.size()))) return std::nan("");
    const auto truth = static_cast<std::size_t>(target);
    for (std::size_t j = 0; j < outputs.size(); ++j)
      if (j != truth) sum += std::exp(static_cast<double>(outputs[j]) - static_cast<double>(outputs[truth]));
    return std::log1p(sum);
  }
  for (std::size_t j = 0; j < outputs.size(); ++j) {
    const auto y = static_cast<double>(outputs[j]), t = static_cast<double>(targets[j]);
    // Softplus of the logit, by its stable form.
    sum += task == Task::binary ? std::max(y, 0.0) - y * t + std::log1p(std::exp(-std::abs(y))) : (y - t) * (y - t);
  }
  return sum / static_cast<double>(outputs.size());
}

}  // namespace

std::optional<double> PredictedLosses::concentration() const {
  if (!predictions_.defined() || !targets_.defined()) return std::nullopt;
  const Shape &shape = predictions_.shape(), &wanted = targets_.shape();
  if (shape.rank() == 0 || wanted.rank() == 0 || shape[0] < 1 || shape.size() < 1 || wanted[0] != shape[0])
    return std::nullopt;
  const auto rows = static_cast<std::size_t>(shape[0]), columns = predictions_.span().size() / rows,
             width = targets_.span().size() / rows;
  if (width != (task_ == Task::multiclass ? 1 : columns) || shape.rank() > 2) return std::nullopt;
  constexpr double smallest = 1e-30;
  constexpr std::size_t factors = 8;  // in a product of losses, so that it stays far from 0 and infinity
  double sum = 0, logs = 0, product = 1;
  for (std::size_t i = 0; i < rows; ++i) {
    const double loss =
        loss_of(task_, predictions_.span().subspan(i * columns, columns), targets_.span().subspan(i * width, width));
    if (!(loss < 1e30)) return std::nullopt;
    sum += loss;
    product *= std::max(loss, smallest);
    if ((i + 1) % factors != 0 && i + 1 < rows) continue;
    logs += std::log(product);
    product = 1;
  }
  const auto n = static_cast<double>(rows);
  return std::log(std::max(sum / n, smallest)) - logs / n;
}

}  // namespace handrail::train
