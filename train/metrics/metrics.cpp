#include <handrail/train/metrics/metrics.h>

#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/train/metrics/internal/labels.h>

namespace handrail::train {

std::vector<Index> argmax(const Tensor& rows) {
  const Index n = rows.shape().rows(), cols = rows.shape().cols();
  if (rows.shape().rank() < 1 || cols == 0) fail<ShapeError>("argmax: want [N, C] with C > 0; got ", rows.shape());
  std::vector<Index> positions(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) positions[static_cast<std::size_t>(i)] = first_largest(rows.data() + i * cols, cols);
  return positions;
}

std::optional<Index> count_correct(Task task, const Tensor& predictions, const Tensor& targets) {
  if (task == Task::regression) return std::nullopt;
  const LabelShape shape = label_shape("accuracy", task, predictions, targets);
  Index correct = 0;
  for_each_label("accuracy", shape, predictions, targets,
                 [&](Index, Index truth, Index predicted) { correct += truth == predicted; });
  return correct;
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
