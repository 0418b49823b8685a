// The tasks of the part `novel`.
#include "tasks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace faulty_runs {
namespace {

// The shares of eight ingredients, which sum to 1, and the day of the sample, which says nothing. Each of five products
// is made by two recipes.
Task mixtures(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index ingredients = 8, products = 5;
  const Index rows = 1300 * size + 250 + test_rows;
  const Tensor recipes = normal({2 * products, ingredients}, 0, 1, rng);
  const Tensor x({rows, ingredients + 1}), y(Shape{rows});
  const double care = rng.uniform(0.55, 0.65);  // how far a sample is from its recipe
  for (Index i = 0; i < rows; ++i) {
    const auto recipe = static_cast<Index>(rng.below(2 * products));
    std::array<double, ingredients> amounts{};
    double sum = 0;
    for (Index j = 0; j < ingredients; ++j) {
      const auto place = static_cast<std::size_t>(j);
      amounts[place] = std::exp(static_cast<double>(recipes.at({recipe, j})) + care * rng.normal());
      sum += amounts[place];
    }
    for (Index j = 0; j < ingredients; ++j)
      at(x, i, j) = static_cast<Scalar>(amounts[static_cast<std::size_t>(j)] / sum);
    at(x, i, ingredients) = static_cast<Scalar>(rng.normal());
    y.mutable_data()[i] = static_cast<Scalar>(recipe % products);
  }
  return divide({.kind = train::Task::multiclass, .outputs = products, .hidden = {48, 32}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

// Whether a shop is open: by the hour, as a point on a circle, a one-hot day of the week, holidays and heat.
Task opening(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index columns = 12;
  const Index rows = 1400 * size + 250 + test_rows;
  const Tensor x = Tensor::zeros({rows, columns}), y({rows, 1});
  const double opens = rng.uniform(6.5, 8), closes = rng.uniform(19, 21), hot = rng.uniform(26, 29);
  for (Index i = 0; i < rows; ++i) {
    const double hour = rng.uniform(0, 24), turn = 2 * std::numbers::pi * hour / 24, degrees = 20 + 7 * rng.normal();
    const auto day = static_cast<Index>(rng.below(7));
    const bool holiday = rng.uniform() < 0.1;
    at(x, i, 0) = static_cast<Scalar>(std::sin(turn));
    at(x, i, 1) = static_cast<Scalar>(std::cos(turn));
    at(x, i, 2) = static_cast<Scalar>(degrees);
    at(x, i, 3 + day) = 1;
    at(x, i, 10) = holiday ? 1 : 0;
    at(x, i, 11) = static_cast<Scalar>(rng.normal());
    const bool hours = day < 5 ? hour > opens && hour < closes : day == 5 && hour > opens + 2 && hour < closes - 3;
    const bool open = hours && !holiday && (degrees < hot || hour < 12);
    y.mutable_data()[i] = open != (rng.uniform() < 0.02) ? 1 : 0;
  }
  return divide({.kind = train::Task::binary, .outputs = 1, .hidden = {32, 32}, .epochs = 40}, {x, y}, 250, test_rows);
}

// The angle of a damped pendulum after some time, from its angle and speed at the start, its damping and frequency.
Task swing(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 1000 * size + 250 + test_rows;
  const Tensor x({rows, 6}), y({rows, 1});
  const double fastest = rng.uniform(1.6, 1.9), longest = rng.uniform(1.8, 2.1);
  for (Index i = 0; i < rows; ++i) {
    const double angle = rng.normal(), speed = rng.normal(), damping = rng.uniform(0, 0.6);
    const double frequency = rng.uniform(1, fastest), time = rng.uniform(0, longest);
    const std::array<double, 6> row{angle, speed, damping, frequency, time, rng.normal()};
    for (Index j = 0; j < 6; ++j) at(x, i, j) = static_cast<Scalar>(row[static_cast<std::size_t>(j)]);
    const double wave =
        angle * std::cos(frequency * time) + (speed + damping * angle) / frequency * std::sin(frequency * time);
    y.mutable_data()[i] = static_cast<Scalar>(std::exp(-damping * time) * wave + 0.05 * rng.normal());
  }
  return divide({.kind = train::Task::regression, .outputs = 1, .hidden = {48, 48}, .epochs = 40}, {x, y}, 250,
                test_rows);
}

// Which of three offers is taken: price, quality and reliability of each, and how much the buyer cares for quality. An
// offer that is hardly reliable is taken only when it is far better.
Task auction(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index offers = 3, of_each = 3, columns = offers * of_each + 2;
  const Index rows = 1400 * size + 250 + test_rows;
  const Tensor x({rows, columns}), y(Shape{rows});
  const double reliable = rng.uniform(0.3, 0.4);
  for (Index i = 0; i < rows; ++i) {
    const double care = rng.uniform(0, 2);
    std::array<double, offers> value{};
    for (Index offer = 0; offer < offers; ++offer) {
      const double price = rng.normal(), quality = rng.normal(), reliability = rng.uniform();
      at(x, i, of_each * offer) = static_cast<Scalar>(price);
      at(x, i, of_each * offer + 1) = static_cast<Scalar>(quality);
      at(x, i, of_each * offer + 2) = static_cast<Scalar>(reliability);
      value[static_cast<std::size_t>(offer)] =
          care * quality - price - (reliability < reliable ? 1.5 : 0) + 0.15 * rng.normal();
    }
    at(x, i, columns - 2) = static_cast<Scalar>(care);
    at(x, i, columns - 1) = static_cast<Scalar>(rng.normal());
    y.mutable_data()[i] = static_cast<Scalar>(std::ranges::max_element(value) - value.begin());
  }
  return divide({.kind = train::Task::multiclass, .outputs = offers, .hidden = {64, 32}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

}  // namespace

std::vector<TaskKind> novel_tasks() {
  return {{"mixtures", train::Task::multiclass, mixtures, Part::novel},
          {"opening", train::Task::binary, opening, Part::novel},
          {"swing", train::Task::regression, swing, Part::novel},
          {"auction", train::Task::multiclass, auction, Part::novel}};
}

}  // namespace faulty_runs
