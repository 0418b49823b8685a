#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <handrail/train/math/robust.h>

#include "../tasks.h"

// Small tables on which scores are compared: scikit-learn's, and ten that are drawn. A drawn table has its own columns
// of other scales, as tables have them: each is multiplied by a power of ten from 0.01 to 100 and moved by as much.

namespace bench {

struct ScoredTable {
  std::string name;
  Index classes;  // 0 for a regression
  std::function<train::TensorDataset()> read;
};

namespace detail {

/// Rows of normal columns with the targets that `target` makes of a row; then each column gets a scale of its own.
template <class Target>
train::TensorDataset table(Index rows, Index columns, Index classes, std::uint64_t seed, Target&& target) {
  Rng rng(seed);
  const Tensor inputs = normal({rows, columns}, 0, 1, rng);
  const Tensor targets(classes > 0 ? Shape{rows} : Shape{rows, 1});
  for (Index i = 0; i < rows; ++i)
    targets.mutable_data()[i] = static_cast<Scalar>(target(inputs.mutable_data() + i * columns, rng));
  for (Index j = 0; j < columns; ++j) {
    const double scale = std::pow(10, static_cast<double>(rng.below(5)) - 2), offset = scale * rng.normal();
    for (Index i = 0; i < rows; ++i) {
      Scalar& cell = inputs.mutable_data()[i * columns + j];
      cell = static_cast<Scalar>(offset + scale * static_cast<double>(cell));
    }
  }
  return {inputs, targets};
}

/// The class whose score is highest, with noise of the given spread on each score. Scores are linear in the first
/// `used` columns and in their products with the next one; the same for every row.
class LinearScores {
 public:
  LinearScores(Index classes, Index used, double noise, std::uint64_t seed)
      : classes_(classes), used_(used), noise_(noise), rng_(seed), weights_(normal({2 * classes, used}, 0, 1, rng_)) {}

  double operator()(const Scalar* row, Rng& rng) const {
    Index best = 0;
    double highest = -1e300;
    for (Index c = 0; c < classes_; ++c) {
      double score = noise_ * rng.normal();
      for (Index j = 0; j < used_; ++j) {
        const auto x = static_cast<double>(row[j]), next = static_cast<double>(row[(j + 1) % used_]);
        score += static_cast<double>(weights_.at({c, j})) * x +
                 0.7 * static_cast<double>(weights_.at({classes_ + c, j})) * x * next;
      }
      if (score > highest) best = c, highest = score;
    }
    return static_cast<double>(best);
  }

 private:
  Index classes_, used_;
  double noise_;
  Rng rng_;
  Tensor weights_;
};

inline double x(const Scalar* row, int j) { return static_cast<double>(row[j]); }

}  // namespace detail

/// The tables of the folder that export_tables.py wrote to, then those that are drawn.
inline std::vector<ScoredTable> scored_tables(const std::filesystem::path& folder) {
  using detail::x;
  std::vector<ScoredTable> all;
  const auto file = [&](const std::string& name, Index classes) {
    all.push_back({name, classes, [path = folder / (name + ".csv"), classes] {
                     return train::load_csv(path,
                                            {.targets = {"target"},
                                             .kind = classes > 0 ? train::Target::class_index : train::Target::value})
                         .data;
                   }});
  };
  file("iris", 3);
  file("wine", 3);
  file("breast_cancer", 2);
  file("digits", 10);
  file("diabetes", 0);

  const auto drawn = [&](const std::string& name, Index rows, Index columns, Index classes, auto target) {
    const std::uint64_t seed = 1000 + all.size();
    all.push_back({name, classes, [=] { return detail::table(rows, columns, classes, seed, target); }});
  };
  drawn("wide", 500, 100, 4, detail::LinearScores(4, 10, 0.3, 21));
  drawn("noisy", 600, 8, 0,
        [](Scalar* row, Rng& rng) { return std::sin(2 * x(row, 0)) + x(row, 1) * x(row, 2) + 1.3 * rng.normal(); });
  drawn("imbalanced", 1500, 10, 2, [](Scalar* row, Rng& rng) {
    return x(row, 0) + x(row, 1) * x(row, 2) + std::abs(x(row, 3)) + 0.3 * rng.normal() > 3.2 ? 1.0 : 0.0;
  });
  drawn("heavy_tailed", 800, 6, 2, [](Scalar* row, Rng& rng) {
    const double score = x(row, 0) * x(row, 1) + x(row, 2) - 0.5 * x(row, 3) + 0.3 * rng.normal();
    for (int j = 0; j < 6; ++j) row[j] = static_cast<Scalar>(std::sinh(1.5 * x(row, j)));
    return score > 0 ? 1.0 : 0.0;
  });
  drawn("tiny", 75, 4, 3, detail::LinearScores(3, 3, 0.1, 22));
  drawn("many_classes", 2000, 12, 12, detail::LinearScores(12, 6, 0.2, 23));
  drawn("additive", 1000, 10, 0, [](Scalar* row, Rng& rng) {
    return 100 + 20 * (std::sin(2 * x(row, 0)) + std::abs(x(row, 1)) + x(row, 2) * x(row, 3) + 0.3 * rng.normal());
  });
  drawn("categories", 900, 12, 2, [](Scalar* row, Rng& rng) {
    // Nine columns become two categories of four and five values, as indicators; three stay.
    const auto first = static_cast<int>(rng.below(4)), second = static_cast<int>(rng.below(5));
    for (int j = 0; j < 9; ++j) row[j] = static_cast<Scalar>(j == first || j == 4 + second);
    constexpr double effect[] = {-1, 0.5, 1.5, 0, 1, -2, 0, 0.5, 2};
    return effect[first] * x(row, 9) + effect[4 + second] + x(row, 10) + 0.5 * rng.normal() > 0 ? 1.0 : 0.0;
  });
  drawn("steps", 700, 5, 0, [](Scalar* row, Rng& rng) {
    return (x(row, 0) > 0.3 ? 2.0 : 0.0) + (x(row, 1) > 0 && x(row, 2) > -0.5 ? 1.5 : 0.0) + 0.5 * x(row, 3) +
           0.3 * rng.normal();
  });
  drawn("related_columns", 600, 20, 3, [scores = detail::LinearScores(3, 4, 0.3, 24)](Scalar* row, Rng& rng) {
    const double label = scores(row, rng);
    for (int j = 4; j < 20; ++j) row[j] = static_cast<Scalar>(x(row, j % 4) + 0.3 * x(row, j));
    return label;
  });
  return all;
}

/// A network with 32 hidden units.
inline nn::Sequential raw_network(const ScoredTable& table, const train::Dataset& train_set, std::uint64_t seed) {
  return mlp({train_set.input_shape().size(), 32, std::max<Index>(table.classes, 1)}, seed);
}
/// The same on inputs that are standardised by hand, whose outputs come back in the units of the targets of a
/// regression.
inline nn::Sequential scaled_network(const ScoredTable& table, const train::Dataset& train_set, std::uint64_t seed) {
  nn::Sequential model{nn::Standardize::fit(train_set)};
  push_mlp(model, {train_set.input_shape().size(), 32, std::max<Index>(table.classes, 1)}, seed);
  if (table.classes == 0)
    model.push_back(nn::Standardize::fit(first_samples(train_set, train_set.size()).targets, {.invert = true}));
  return model;
}

inline train::Loss loss_of(Index classes) { return classes > 0 ? train::Loss(cross_entropy) : train::Loss(mse_loss); }

/// Options of a run that writes nothing, with the metric that score_of needs.
inline train::TrainerOptions options_of(Index classes, Index epochs, std::uint64_t seed) {
  train::TrainerOptions options{
      .epochs = epochs, .checkpoints = train::off, .seed = seed, .metrics_csv = train::off, .sinks = {}};
  if (classes == 0) options.metrics = {train::R2{}};
  return options;
}

/// Accuracy or R2, in percent.
inline double score_of(const train::Evaluation& test) {
  return 100 * (test.measured_accuracy ? test.accuracy() : test.metric("r2"));
}

/// Remembers the group losses of the evaluation with the lowest monitored value.
class LowestLoss {
 public:
  /// Whether this evaluation is the lowest so far.
  bool add(const train::EvaluationStats& stats) {
    if (!(stats.monitored < value_)) return false;
    value_ = stats.monitored;
    groups_ = stats.evaluation.group_losses;
    return true;
  }
  /// How much higher the losses of another evaluation are.
  train::Moments rise(const std::vector<double>& now) const { return train::paired_moments(now, groups_); }

 private:
  double value_ = std::numeric_limits<double>::infinity();
  std::vector<double> groups_;
};

/// Mean and standard error; of no values 0.
inline train::Moments mean_of(const std::vector<double>& values) {
  return values.empty() ? train::Moments{} : train::moments(values);
}

}  // namespace bench
