// The tasks of the part `unseen`.
#include "tasks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace faulty_runs {
namespace {

// Six species of three genera. The first four columns tell the genus, and each genus has columns of its own that tell
// its two species apart.
Task species(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index columns = 11;
  const Index rows = 1300 * size + 250 + test_rows;
  const Tensor x = normal({rows, columns}, 0, 1, rng), y(Shape{rows});
  const double width = rng.uniform(0.6, 0.75);
  const Tensor by = normal({3, 4}, 0, 1, rng);
  for (Index i = 0; i < rows; ++i) {
    const auto v = [&](Index j) { return static_cast<double>(at(x, i, j)); };
    std::array<double, 3> fit{};
    for (Index g = 0; g < 3; ++g)
      for (Index j = 0; j < 4; ++j) fit[static_cast<std::size_t>(g)] += static_cast<double>(by.at({g, j})) * v(j);
    const auto genus = std::ranges::max_element(fit) - fit.begin();
    const bool second = genus == 0   ? v(4) + v(5) + 0.15 * rng.normal() > 0
                        : genus == 1 ? v(6) - v(7) + 0.15 * rng.normal() > 0
                                     : std::abs(v(8) + 0.1 * rng.normal()) > width;
    y.mutable_data()[i] = static_cast<Scalar>(2 * genus + (second ? 1 : 0));
  }
  return divide({.kind = train::Task::multiclass, .outputs = 6, .hidden = {48, 32}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

// A survey of 13 questions with answers from 1 to 5, of which some are asked the other way round: who ends a contract.
// Those do who are not content, or to whom the price matters and who are not attached.
Task survey(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index questions = 13;
  const Index rows = 1200 * size + 250 + test_rows;
  const Tensor x({rows, questions + 1}), y({rows, 1});
  const double patience = rng.uniform(2.3, 2.5);
  for (Index i = 0; i < rows; ++i) {
    const std::array<double, 3> opinion{rng.normal(), rng.normal(), rng.normal()};
    std::array<double, 3> mean{};
    for (Index q = 0; q < questions; ++q) {
      const auto about = static_cast<std::size_t>(q % 4);  // every fourth question is about something else
      const double view = about < 3 ? 0.9 * opinion[about] : 0;
      const double answer = std::clamp(std::round(3 + view + 0.7 * rng.normal()), 1.0, 5.0);
      if (about < 3) mean[about] += answer / (about == 0 ? 4 : 3);
      at(x, i, q) = static_cast<Scalar>(q % 5 == 4 ? 6 - answer : answer);
    }
    const double age = rng.uniform(18, 80);
    at(x, i, questions) = static_cast<Scalar>(age);
    const bool leaves = mean[0] < patience || (mean[1] > 3.1 && mean[2] < (age > 50 ? 2.9 : 3.5));
    y.mutable_data()[i] = leaves != (rng.uniform() < 0.02) ? 1 : 0;
  }
  return divide({.kind = train::Task::binary, .outputs = 1, .hidden = {32, 32}, .epochs = 30}, {x, y}, 250, test_rows);
}

// The electric load of an office: two waves over the hours of a day, which weekends flatten, and heating or cooling
// beyond two temperatures.
Task load(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 1100 * size + 250 + test_rows;
  const Tensor x({rows, 7}), y({rows, 1});
  const double phase = rng.uniform(0, 2 * std::numbers::pi), heats = rng.uniform(10, 14), cools = rng.uniform(19, 22);
  for (Index i = 0; i < rows; ++i) {
    const double hour = rng.uniform(0, 24), temperature = 16 + 8 * rng.normal(), people = rng.uniform(20, 200);
    const bool weekend = rng.uniform() < 2.0 / 7;
    const double day = 2 * std::numbers::pi * hour / 24;
    const double waves = 1.2 * std::sin(day + phase) + 0.7 * std::cos(2 * day);
    const double climate = 0.15 * std::max(0.0, heats - temperature) + 0.2 * std::max(0.0, temperature - cools);
    const std::array<double, 7> row{hour,          weekend ? 1.0 : 0.0,         temperature, people, rng.normal(),
                                    rng.uniform(), std::exp(0.5 * rng.normal())};
    for (Index j = 0; j < 7; ++j) at(x, i, j) = static_cast<Scalar>(row[static_cast<std::size_t>(j)]);
    y.mutable_data()[i] =
        static_cast<Scalar>((weekend ? 0.4 : 1) * waves + climate + people / 150 + 0.15 * rng.normal());
  }
  return divide({.kind = train::Task::regression, .outputs = 1, .hidden = {48, 48}, .epochs = 40}, {x, y}, 250,
                test_rows);
}

// The price of a parcel: by the larger of its weight and of what its volume counts as, at the rate of one of three
// zones, with surcharges for express and for long ways.
Task parcels(std::uint64_t seed, Index size) {
  Rng rng(seed);
  constexpr Index zones = 3;
  const Index rows = 900 * size + 250 + test_rows;
  const Tensor x = Tensor::zeros({rows, 9}), y({rows, 1});
  const double per_volume = rng.uniform(0.8, 1.2), far = rng.uniform(0.55, 0.7);
  for (Index i = 0; i < rows; ++i) {
    const double weight = rng.uniform(0.2, 4), volume = rng.uniform(0.2, 4), way = rng.uniform();
    const auto zone = static_cast<Index>(rng.below(zones));
    const bool express = rng.uniform() < 0.3;
    at(x, i, 0) = static_cast<Scalar>(weight);
    at(x, i, 1) = static_cast<Scalar>(volume);
    at(x, i, 2) = static_cast<Scalar>(way);
    at(x, i, 3 + zone) = 1;
    at(x, i, 6) = express ? 1 : 0;
    at(x, i, 7) = static_cast<Scalar>(rng.normal());
    at(x, i, 8) = static_cast<Scalar>(rng.uniform());
    const double charged = std::max(weight, per_volume * volume) * (0.6 + 0.5 * static_cast<double>(zone));
    y.mutable_data()[i] = static_cast<Scalar>(charged * (express ? 1.5 : 1) +
                                              std::max(0.0, way - far) * 4 * (1 + charged) + 0.15 * rng.normal());
  }
  return divide({.kind = train::Task::regression, .outputs = 1, .hidden = {32, 32}, .epochs = 40}, {x, y}, 250,
                test_rows);
}

}  // namespace

std::vector<TaskKind> unseen_tasks() {
  return {{"species", train::Task::multiclass, species, Part::unseen},
          {"survey", train::Task::binary, survey, Part::unseen},
          {"load", train::Task::regression, load, Part::unseen},
          {"parcels", train::Task::regression, parcels, Part::unseen}};
}

}  // namespace faulty_runs
