#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/random.h>
#include <handrail/train/checks/internal/association.h>

using namespace handrail;
using namespace handrail::train;

namespace {

std::vector<double> normals(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(rng.normal());
  return values;
}

// The class of each value: whether it is above 0, or far from 0.
std::vector<double> classes_of(const std::vector<double>& values, bool by_distance) {
  std::vector<double> classes;
  for (const double v : values) classes.push_back((by_distance ? v * v > 0.5 : v > 0) ? 1 : 0);
  return classes;
}

}  // namespace

TEST_CASE("a column tells its targets by its values or by their distance from the middle") {
  const auto x = normals(400, 1);
  for (const bool by_distance : {false, true}) {
    const auto series = target_series(classes_of(x, by_distance), Task::binary);
    CHECK(association(x, series) > 8);
    CHECK(association(normals(400, 2), series) < association_by_chance(20, series));
  }
  const auto numbers = target_series(x, Task::regression);
  CHECK(association(x, numbers) == doctest::Approx(20));  // a correlation of 1 in 400 rows
  CHECK(association(std::vector<double>(400, 3.0), numbers) == 0);
}

TEST_CASE("a single outlier does not make a column tell its targets") {
  auto x = normals(400, 3);
  auto y = normals(400, 4);
  x[7] = 1e6, y[7] = 1e6;
  CHECK(association(x, target_series(y, Task::regression)) < 3);
}

TEST_CASE("the share of columns that are noise is estimated from all of them") {
  const auto y = normals(300, 5);
  const auto series = target_series(y, Task::regression);
  std::vector<double> associations;
  for (std::uint64_t j = 0; j < 200; ++j) {
    auto x = normals(300, 10 + j);
    for (std::size_t i = 0; j < 50 && i < x.size(); ++i) x[i] += y[i];
    associations.push_back(association(x, series));
  }
  CHECK(share_of_noise(associations, series) == doctest::Approx(0.75).epsilon(0.15));
  CHECK(share_of_noise(std::vector<double>(10, 30.0), series) == 0);
}

TEST_CASE("targets agree when they are the same more often than by chance") {
  const std::vector<double> a{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, b{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  CHECK(agreement(a, a, Task::multiclass) > 4);
  CHECK(agreement(a, b, Task::multiclass) == doctest::Approx(0));
  CHECK(agreement(a, a, Task::regression) > 3);
}
