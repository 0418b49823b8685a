#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/neighbours/points.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// The nearest neighbours of some training rows, and how well their targets agree. The points are in the order of rows.
class NeighbourGraph {
 public:
  static constexpr std::size_t max_points = 600, neighbours = 5;

  NeighbourGraph(const Described& train, Task task);

  std::size_t size() const { return points_.size(); }
  /// The position of a point in the table.
  std::size_t position(std::size_t i) const { return points_.positions[i]; }
  /// The nearest points of point i.
  std::span<const std::size_t> of(std::size_t i) const {
    return std::span(nearest_).subspan(i * neighbours, neighbours);
  }
  /// The nearest points of point i among those from `begin` to `end`, of which there are as many at least.
  std::vector<std::size_t> nearest(std::size_t i, std::size_t begin, std::size_t end) const;
  /// How well the targets of two points agree: 1 for the same class, else 0; of a regression the product of the
  /// targets, standardised and cut to 2.
  double agreement(std::size_t i, std::size_t j) const;
  /// The mean agreement of a point with its neighbours.
  double agreement(std::size_t i) const;

 private:
  Points points_;
  std::vector<std::size_t> nearest_;  // [points, neighbours]
  std::vector<double> targets_;       // classes, or standardised
  bool classes_;
};

}  // namespace handrail::train
