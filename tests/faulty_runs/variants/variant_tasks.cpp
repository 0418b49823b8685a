// The tasks of the part `variants`.
#include "tasks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace faulty_runs {
namespace {

// Twenty samples of a tone of one of five pitches, with any phase and loudness, and noise.
Task tones(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index samples = 20, pitches = 5;
  const Index rows = 1200 * size + 250 + test_rows;
  const Tensor x({rows, samples}), y(Shape{rows});
  const double lowest = rng.uniform(0.9, 1.3);  // periods of the lowest pitch
  for (Index i = 0; i < rows; ++i) {
    const auto pitch = static_cast<double>(rng.below(pitches));
    const double phase = rng.uniform(0, 2 * std::numbers::pi), loudness = rng.uniform(0.8, 1.6);
    y.mutable_data()[i] = static_cast<Scalar>(pitch);
    for (Index j = 0; j < samples; ++j) {
      const double time = static_cast<double>(j) / samples;
      const double angle = 2 * std::numbers::pi * (lowest + 0.6 * pitch) * time + phase;
      at(x, i, j) = static_cast<Scalar>(loudness * std::sin(angle) + 0.8 * rng.normal());
    }
  }
  return divide({.kind = train::Task::multiclass, .outputs = pitches, .hidden = {64, 32}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

// The centers and the radii of two discs, and two columns of noise: whether the discs overlap.
Task discs(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 1200 * size + 250 + test_rows;
  const Tensor x({rows, 8}), y({rows, 1});
  const double width = rng.uniform(1.0, 1.3);  // of the field, whose height is 1
  for (Index i = 0; i < rows; ++i) {
    const std::array<double, 8> row{rng.uniform(0, width), rng.uniform(), rng.uniform(0.05, 0.55),
                                    rng.uniform(0, width), rng.uniform(), rng.uniform(0.05, 0.55),
                                    rng.normal(),          rng.normal()};
    for (Index j = 0; j < 8; ++j) at(x, i, j) = static_cast<Scalar>(row[static_cast<std::size_t>(j)]);
    y.mutable_data()[i] = std::hypot(row[0] - row[3], row[1] - row[4]) < row[2] + row[5] ? 1 : 0;
  }
  return divide({.kind = train::Task::binary, .outputs = 1, .hidden = {32, 32}, .epochs = 40}, {x, y}, 250, test_rows);
}

// The distance of a robot's hand from its shoulder, from the lengths and the angles of four segments of its arm (An and
// Owen 2001, "Quasi-regression", give it as a function of four lengths and four angles).
Task arm(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index segments = 4;
  const Index rows = 1000 * size + 250 + test_rows;
  const Tensor x({rows, 2 * segments}), y({rows, 1});
  const double bend = rng.uniform(1.2, 1.6);  // the largest angle between two segments
  for (Index i = 0; i < rows; ++i) {
    double turned = 0, across = 0, along = 0;
    for (Index s = 0; s < segments; ++s) {
      const double length = rng.uniform(0.2, 1), angle = rng.uniform(-bend, bend);
      turned += angle;
      across += length * std::sin(turned);
      along += length * std::cos(turned);
      at(x, i, s) = static_cast<Scalar>(length);
      at(x, i, segments + s) = static_cast<Scalar>(angle);
    }
    y.mutable_data()[i] = static_cast<Scalar>(std::hypot(across, along) + 0.05 * rng.normal());
  }
  return divide({.kind = train::Task::regression, .outputs = 1, .hidden = {48, 48}, .epochs = 40}, {x, y}, 250,
                test_rows);
}

// Four grades of loans, of 40, 30, 20 and 10 % of the rows, cut from a score of income, debt, age, a region in one-hot
// columns and flags that are rarely set.
Task grades(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index regions = 3, columns = 10;
  const Index rows = 1500 * size + 300 + test_rows;
  const Tensor x = Tensor::zeros({rows, columns}), y(Shape{rows});
  std::vector<double> scores;
  const double best_age = rng.uniform(42, 50);
  for (Index i = 0; i < rows; ++i) {
    const double income = 0.5 * rng.normal(), debt = rng.uniform(0, 1.2), age = rng.uniform(20, 75);
    const auto region = static_cast<Index>(rng.below(regions));
    const bool late = rng.uniform() < 0.1, owner = rng.uniform() < 0.4;
    const double rate = rng.normal();
    at(x, i, 0) = static_cast<Scalar>(std::exp(income));
    at(x, i, 1) = static_cast<Scalar>(debt);
    at(x, i, 2) = static_cast<Scalar>(age);
    at(x, i, 3 + region) = 1;
    at(x, i, 6) = late ? 1 : 0;
    at(x, i, 7) = owner ? 1 : 0;
    at(x, i, 8) = static_cast<Scalar>(rate);
    at(x, i, 9) = static_cast<Scalar>(rng.normal());
    const double by_region = region == 0 ? 1.2 * rate : region == 1 ? -1.2 * rate : 0;
    scores.push_back(2 * income - std::pow((age - best_age) / 14, 2) - (owner ? 1 : 2.2) * debt + by_region -
                     (late ? 2 : 0) + 0.2 * rng.normal());
  }
  std::vector<double> sorted = scores;
  std::ranges::sort(sorted);
  for (Index i = 0; i < rows; ++i) {
    const auto below = std::ranges::lower_bound(sorted, scores[static_cast<std::size_t>(i)]) - sorted.begin();
    const double rank = static_cast<double>(below) / static_cast<double>(rows);
    y.mutable_data()[i] = rank < 0.4 ? 0 : rank < 0.7 ? 1 : rank < 0.9 ? 2 : 3;
  }
  return divide({.kind = train::Task::multiclass, .outputs = 4, .hidden = {48, 32}, .epochs = 30}, {x, y}, 300,
                test_rows);
}

}  // namespace

std::vector<TaskKind> variant_tasks() {
  return {{"tones", train::Task::multiclass, tones, Part::variants},
          {"discs", train::Task::binary, discs, Part::variants},
          {"arm", train::Task::regression, arm, Part::variants},
          {"grades", train::Task::multiclass, grades, Part::variants}};
}

}  // namespace faulty_runs
