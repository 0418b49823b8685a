#include <handrail/train/checks/internal/neighbours/neighbour_graph.h>

#include <algorithm>
#include <numeric>

namespace handrail::train {

NeighbourGraph::NeighbourGraph(const Described& train, Task task) : classes_(task != Task::regression) {
  points_ = points_of(train.table, train.columns, varying_columns(train), max_points, true);
  const Column& target = train.columns[train.table.inputs];
  const double spread = target.iqr > 0 ? target.iqr / 1.35 : target.sd;
  for (const std::size_t i : points_.positions) {
    const auto value = static_cast<double>(train.table.target()[i]);
    targets_.push_back(classes_ ? value : std::clamp((value - target.median) / std::max(spread, 1e-30), -2.0, 2.0));
  }
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const auto found = nearest(i, 0, points_.size());
    nearest_.insert(nearest_.end(), found.begin(), found.end());
  }
}

std::vector<std::size_t> NeighbourGraph::nearest(std::size_t i, std::size_t begin, std::size_t end) const {
  std::vector<float> distances;
  squared_distances(points_, points_, i, i, distances);
  std::vector<std::size_t> order(end - begin);
  std::iota(order.begin(), order.end(), begin);
  std::nth_element(order.begin(), order.begin() + neighbours - 1, order.end(),
                   [&](std::size_t a, std::size_t b) { return distances[a] < distances[b]; });
  order.resize(neighbours);
  return order;
}

double NeighbourGraph::agreement(std::size_t i, std::size_t j) const {
  return classes_ ? (targets_[i] == targets_[j] ? 1.0 : 0.0) : targets_[i] * targets_[j];
}

double NeighbourGraph::agreement(std::size_t i) const {
  double sum = 0;
  for (const std::size_t j : of(i)) sum += agreement(i, j);
  return sum / static_cast<double>(neighbours);
}

}  // namespace handrail::train
