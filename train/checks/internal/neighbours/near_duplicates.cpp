#include <handrail/train/checks/internal/neighbours/near_duplicates.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr float rather = 5;

// How many rows should be nearer than the tenth neighbour by that factor: in d dimensions, the number of neighbours
// grows with the distance to the power d.
double expected_share(double twentieth_distance, double sixtieth_distance) {
  const double dimensions = std::log(3) / std::log(std::max(sixtieth_distance / twentieth_distance, 1 + 1e-6));
  constexpr double tenth = 10;
  return tenth * std::pow(static_cast<double>(rather), -dimensions);
}

struct Nearness {
  double near = 0, very_near = 0, rather_near = 0;  // shares of the queries
  std::size_t example = 0;                          // the query nearest to a point
};
Nearness nearness(std::span<const Neighbour> neighbours, float usual) {
  Nearness result;
  float smallest = std::numeric_limits<float>::infinity();
  const auto n = static_cast<double>(neighbours.size());
  for (std::size_t q = 0; q < neighbours.size(); ++q) {
    const float distance = neighbours[q].distance;
    if (!(distance > 0)) continue;
    result.near += distance < usual / 10 ? 1 / n : 0;
    result.rather_near += distance < usual / rather ? 1 / n : 0;
    result.very_near += distance < usual / 100 ? 1 / n : 0;
    if (distance < smallest) smallest = distance, result.example = q;
  }
  return result;
}

}  // namespace

std::optional<Anomaly> near_duplicates(const Described& train, const DataTable& validation, const Points& points,
                                       const Points& queries, std::span<const Neighbour> of_train,
                                       std::span<const Neighbour> of_validation) {
  constexpr std::size_t min_columns = 3, min_validation = 20;
  constexpr double min_rows = 5, min_errors = 4;
  if (points.coordinates.size() < min_columns || of_validation.size() < min_validation) return std::nullopt;
  std::vector<double> tenths, twentieths, sixtieths;
  for (const Neighbour& neighbour : of_train) {
    tenths.push_back(static_cast<double>(neighbour.tenth_distance));
    twentieths.push_back(static_cast<double>(neighbour.twentieth_distance));
    sixtieths.push_back(static_cast<double>(neighbour.sixtieth_distance));
  }
  const auto usual = static_cast<float>(median(tenths));
  if (!(usual > 0)) return std::nullopt;
  const Nearness here = nearness(of_validation, usual), there = nearness(of_train, usual);
  const auto n = static_cast<double>(of_train.size()), m = static_cast<double>(of_validation.size());
  const double share = (here.near * m + there.near * n) / (m + n);
  const double error = std::sqrt(share * (1 - share) * (1 / m + 1 / n));
  const bool near = here.near > 0.05 && here.near > 3 * there.near && here.near - there.near > min_errors * error;
  const bool copied = here.rather_near > 0.3 && expected_share(median(twentieths), median(sixtieths)) < 0.1;
  if ((!near && !copied && here.very_near < 0.3) || here.rather_near * m < min_rows) return std::nullopt;
  const Neighbour& example = of_validation[here.example];
  return Anomaly{
      .name = "near_duplicates",
      .where = concat("row ", validation.rows[queries.positions[here.example]], " of the ", validation.name, " set"),
      .evidence =
          concat(short_form(100 * (near ? here.near : here.rather_near), 2),
                 " % nearly equal a training row, this one row ", train.table.rows[points.positions[example.index]]),
      .cause =
          "copies with a little noise in both sets, as when rows are augmented before they are split: the "
          "validation loss looks better than it is",
      .remedy = "split first, then augment",
      .details = concat("their distance is ", short_form(static_cast<double>(example.distance), 3),
                        " standard deviations, that to a tenth neighbour ", short_form(static_cast<double>(usual), 3)),
      .rank = Rank::outcome};
}

std::optional<Anomaly> find_groups(const DataTable& validation, const Points& points, const Points& queries,
                                   std::span<const Neighbour> of_train, std::span<const Neighbour> of_validation) {
  constexpr std::size_t min_queries = 50, max_group = 12, first_usual = 21, last_usual = 40, min_columns = 3;
  constexpr double min_ratio = 2, max_farther = 1.5;
  if (queries.size() < min_queries || points.size() < 4 * last_usual || points.coordinates.size() < min_columns)
    return std::nullopt;
  std::vector<double> sums(last_usual + 1), counts(last_usual + 1);  // of k times the jump behind the k-th neighbour
  std::vector<float> distances;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    squared_distances(points, queries, q, points.size(), distances);
    std::partial_sort(distances.begin(), distances.begin() + last_usual + 1, distances.end());
    for (std::size_t k = 1; k <= last_usual; ++k) {
      if (!(distances[k - 1] > 0)) continue;
      sums[k] += static_cast<double>(k) / 2 * std::log(static_cast<double>(distances[k] / distances[k - 1]));
      ++counts[k];
    }
  }
  double usual = 0;
  for (std::size_t k = first_usual; k <= last_usual; ++k) {
    if (counts[k] < min_queries) return std::nullopt;
    usual += sums[k] / counts[k] / static_cast<double>(last_usual - first_usual + 1);
  }
  std::size_t size = 0;
  double largest = 0;
  for (std::size_t k = 1; k <= max_group; ++k)
    if (counts[k] >= min_queries && sums[k] / counts[k] > largest) largest = sums[k] / counts[k], size = k;
  if (!(usual > 0) || !(largest > min_ratio * usual)) return std::nullopt;
  // Rows of groups that are in the validation set alone are as far from the groups of others as these from each other.
  const auto usual_distance = [](std::span<const Neighbour> neighbours) {
    std::vector<double> nearest;
    for (const Neighbour& neighbour : neighbours) nearest.push_back(static_cast<double>(neighbour.distance));
    return median(nearest);
  };
  if (usual_distance(of_validation) > max_farther * usual_distance(of_train)) return std::nullopt;
  return Anomaly{
      .name = "near_duplicates",
      .where = concat(validation.name, " rows"),
      .evidence = concat("about ", size, " training rows are near, the gap behind is ", short_form(largest / usual, 2),
                         " times the usual"),
      .cause = "rows of one patient, customer or recording in both sets: the validation loss looks better than it is",
      .remedy = "split groups, not rows",
      .rank = Rank::outcome};
}

}  // namespace handrail::train
