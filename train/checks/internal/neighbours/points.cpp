#include <handrail/train/checks/internal/neighbours/points.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <handrail/core/random.h>

namespace handrail::train {

std::vector<std::size_t> evenly(std::size_t count, std::size_t wanted) {
  const std::size_t taken = std::min(count, wanted);
  std::vector<std::size_t> picked;
  for (std::size_t i = 0; i < taken; ++i) picked.push_back(i * count / taken);
  return picked;
}

std::vector<std::size_t> varying_columns(const Described& data) {
  constexpr std::size_t max_coordinates = 64;
  std::vector<std::size_t> varying, picked;
  for (std::size_t j = 0; j < data.table.inputs; ++j)
    if (data.columns[j].sd > 0) varying.push_back(j);
  for (const std::size_t k : evenly(varying.size(), max_coordinates)) picked.push_back(varying[k]);
  return picked;
}

Points points_of(const DataTable& table, std::span<const Column> train, std::span<const std::size_t> columns,
                 std::size_t count, bool irregular) {
  Points points{.positions = evenly(table.size(), count)};
  if (irregular) {
    Rng rng(table.size());
    for (std::size_t k = 0; k < points.size(); ++k) {
      const std::size_t end = k + 1 < points.size() ? points.positions[k + 1] : table.size();
      points.positions[k] += rng.below(end - points.positions[k]);
    }
  }
  for (const std::size_t j : columns) {
    auto& coordinate = points.coordinates.emplace_back();
    const auto values = table.column(j);
    for (const std::size_t i : points.positions)
      coordinate.push_back(
          static_cast<float>(std::clamp((static_cast<double>(values[i]) - train[j].mean) / train[j].sd, -5.0, 5.0)));
  }
  return points;
}

void squared_distances(const Points& points, const Points& queries, std::size_t query, std::size_t self,
                       std::vector<float>& distances) {
  distances.assign(points.size(), 0);
  for (std::size_t k = 0; k < points.coordinates.size(); ++k) {
    const float at = queries.coordinates[k][query];
    const float* values = points.coordinates[k].data();
    for (std::size_t i = 0; i < distances.size(); ++i) distances[i] += (values[i] - at) * (values[i] - at);
  }
  if (self < distances.size()) distances[self] = std::numeric_limits<float>::infinity();
}

Neighbour nearest(const Points& points, const Points& queries, std::size_t query, std::size_t self,
                  std::vector<float>& distances) {
  constexpr std::size_t tenth = 10;
  squared_distances(points, queries, query, self, distances);
  const auto first = std::ranges::min_element(distances);
  Neighbour found{.index = static_cast<std::size_t>(first - distances.begin()), .distance = std::sqrt(*first)};
  const auto distance_of = [&](std::size_t rank) {
    const auto place = distances.begin() + std::min(std::ssize(distances) - 1, static_cast<std::ptrdiff_t>(rank));
    std::nth_element(distances.begin(), place, distances.end());
    return std::sqrt(*place);
  };
  found.tenth_distance = distance_of(tenth);
  found.twentieth_distance = distance_of(2 * tenth);
  found.sixtieth_distance = distance_of(6 * tenth);
  return found;
}

}  // namespace handrail::train
