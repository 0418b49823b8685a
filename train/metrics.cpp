#include <handrail/train/metrics.h>

#include <algorithm>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

Index first_largest(const Scalar* row, Index cols) { return std::max_element(row, row + cols) - row; }

}  // namespace

std::vector<Index> argmax(const Tensor& rows) {
  const Index n = rows.shape().rows(), cols = rows.shape().cols();
  if (rows.shape().rank() < 1 || cols == 0) fail<ShapeError>("argmax: want [N, C] with C > 0; got ", rows.shape());
  std::vector<Index> positions(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) positions[static_cast<std::size_t>(i)] = first_largest(rows.data() + i * cols, cols);
  return positions;
}

std::optional<Index> count_correct(Task task, const Tensor& predictions, const Tensor& targets) {
  const Scalar *p = predictions.data(), *t = targets.data();
  Index correct = 0;
  switch (task) {
    case Task::multiclass: {
      const Index n = predictions.shape().rows(), cols = predictions.shape().cols();
      if (targets.size() != n || cols == 0)
        fail<ShapeError>("accuracy: want predictions [N, C], targets [N]; got ", predictions.shape(), " and ",
                         targets.shape());
      for (Index i = 0; i < n; ++i) correct += first_largest(p + i * cols, cols) == static_cast<Index>(t[i]);
      return correct;
    }
    case Task::binary:
      if (predictions.size() != targets.size())
        fail<ShapeError>("accuracy: want predictions and targets of the same shape; got ", predictions.shape(), " and ",
                         targets.shape());
      for (Index i = 0; i < targets.size(); ++i) correct += (p[i] > 0) == (t[i] > Scalar(0.5));
      return correct;
    case Task::regression:
      break;
  }
  return std::nullopt;
}

void add_metrics(std::vector<MetricValue>& sums, const std::vector<MetricValue>& metrics, double weight) {
  for (const MetricValue& metric : metrics) {
    const auto same = std::ranges::find(sums, metric.name, &MetricValue::name);
    if (same != sums.end())
      same->value += metric.value * weight;
    else
      sums.push_back({metric.name, metric.value * weight});
  }
}

}  // namespace handrail::train
