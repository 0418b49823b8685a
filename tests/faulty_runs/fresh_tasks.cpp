// The tasks of the part `fresh`.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "tasks.h"

namespace faulty_runs {
namespace {

// Three arms of a spiral and a category of four values in one-hot columns. Two of its values exchange the arms'
// classes.
Task spirals(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 1200 * size + 250 + test_rows;
  const Tensor x = normal({rows, 9}, 0, 0.08, rng), y(Shape{rows});
  const double start = rng.uniform(0, 2 * std::numbers::pi);
  for (Index i = 0; i < rows; ++i) {
    const auto arm = static_cast<Index>(rng.below(3)), category = static_cast<Index>(rng.below(4));
    const double radius = rng.uniform(0.2, 1.5);
    const double turn = start + 2 * std::numbers::pi * static_cast<double>(arm) / 3 + 2 * radius;
    y.mutable_data()[i] = static_cast<Scalar>(category < 2 ? arm : (arm + category - 1) % 3);
    at(x, i, 0) += static_cast<Scalar>(radius * std::cos(turn));
    at(x, i, 1) += static_cast<Scalar>(radius * std::sin(turn));
    for (Index j = 0; j < 4; ++j) at(x, i, 2 + j) = j == category ? 1 : 0;
  }
  return divide({.kind = train::Task::multiclass, .outputs = 3, .hidden = {64, 64}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

// Counts with heavy tails, such as visits of customers; the class depends on the logarithms of some.
Task counts(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 1000 * size + 250 + test_rows;
  const Tensor x({rows, 8}), y({rows, 1});
  for (Index i = 0; i < rows; ++i) {
    const double shared = 0.4 * rng.normal();
    std::array<double, 8> level{};
    for (Index j = 0; j < 8; ++j) {
      double& l = level[static_cast<std::size_t>(j)];
      l = 2 + shared + 0.7 * rng.normal();
      at(x, i, j) = static_cast<Scalar>(std::floor(std::exp(l) + rng.uniform()));
    }
    const double sum = level[0] - level[1] + 0.8 * (level[2] - 2) * (level[3] - 2) + 0.3 * rng.normal();
    y.mutable_data()[i] = sum > 0 ? 1 : 0;
  }
  return divide({.kind = train::Task::binary, .outputs = 1, .hidden = {32, 32}, .epochs = 30}, {x, y}, 250, test_rows);
}

// A draw of a Gaussian process by random features (Rahimi and Recht 2007) of four columns, and steps of two more.
Task steps(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index features = 40;
  const Index rows = 900 * size + 250 + test_rows;
  const Tensor x = uniform({rows, 7}, -1, 1, rng), y({rows, 1});
  const Tensor frequencies = normal({features, 4}, 0, 1.2, rng), weights = normal({1, features}, 0, 1, rng),
               phases = uniform({1, features}, 0, 2 * std::numbers::pi, rng);
  for (Index i = 0; i < rows; ++i) {
    double sum = 0;
    for (Index f = 0; f < features; ++f) {
      double angle = static_cast<double>(phases.at({0, f}));
      for (Index j = 0; j < 4; ++j) angle += static_cast<double>(frequencies.at({f, j}) * at(x, i, j));
      sum += static_cast<double>(weights.at({0, f})) * std::cos(angle) * std::sqrt(2.0 / features);
    }
    if (at(x, i, 4) > Scalar(0.3)) sum += 1;
    if (at(x, i, 5) > 0 && at(x, i, 0) > 0) sum -= 1.5;
    y.mutable_data()[i] = static_cast<Scalar>(sum + 0.15 * rng.normal());
  }
  return divide({.kind = train::Task::regression, .outputs = 1, .hidden = {48, 48}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

// A temperature that a load and a valve drive, all three measured in the last four minutes and in the order of time;
// the target is the temperature of the next minute.
Task sensors(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index lags = 4;
  const Index rows = 1000 * size + 250 + test_rows;
  const Tensor x({rows, 3 * lags}), y({rows, 1});
  const double gain = rng.uniform(1.2, 1.8);
  std::array<double, 3> now{};
  std::array<std::array<double, 3>, lags> past{};
  for (Index i = -50; i < rows; ++i) {  // the first minutes settle
    std::rotate(past.begin(), past.end() - 1, past.end());
    past.front() = now;
    auto& [load, valve, temperature] = now;
    temperature = 0.5 * temperature + std::sin(gain * load) + load * valve + 0.2 * rng.normal();
    load = 0.7 * load + 0.7 * rng.normal();
    valve = 0.6 * valve + 0.8 * rng.normal();
    if (i < 0) continue;
    for (Index lag = 0; lag < lags; ++lag)
      for (Index s = 0; s < 3; ++s)
        at(x, i, 3 * lag + s) = static_cast<Scalar>(past[static_cast<std::size_t>(lag)][static_cast<std::size_t>(s)]);
    y.mutable_data()[i] = static_cast<Scalar>(temperature);
  }
  return divide({.kind = train::Task::regression, .outputs = 1, .hidden = {32, 32}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

}  // namespace

std::vector<TaskKind> fresh_tasks() {
  return {{"spirals", train::Task::multiclass, spirals, Part::fresh},
          {"counts", train::Task::binary, counts, Part::fresh},
          {"steps", train::Task::regression, steps, Part::fresh},
          {"sensors", train::Task::regression, sensors, Part::fresh}};
}

}  // namespace faulty_runs
