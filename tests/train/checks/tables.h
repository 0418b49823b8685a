#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <handrail/core/random.h>
#include <handrail/train/checks/internal/data_review.h>

// Tables in which tests plant faults.

namespace tables {

using namespace handrail;

/// Inputs [rows, cols] and targets, [rows] for classes and [rows, 1] otherwise.
struct Table {
  Tensor x, y;
  Index rows() const { return x.shape()[0]; }
  Index cols() const { return x.shape()[1]; }
  Scalar& at(Index i, Index j) const { return x.mutable_data()[i * cols() + j]; }
  Scalar& target(Index i) const { return y.mutable_data()[i]; }
  /// Calls edit(row, value) for each value of a column.
  void edit(Index j, const std::function<double(Index, double)>& change) const {
    for (Index i = 0; i < rows(); ++i) at(i, j) = static_cast<Scalar>(change(i, static_cast<double>(at(i, j))));
  }
  train::TensorDataset data() const { return {x, y}; }
};

/// Standard normal inputs of which two decide on one of three classes, with some noise.
inline Table classes(Index rows, std::uint64_t seed = 1, Index cols = 5) {
  Rng rng(seed);
  const Table table{normal({rows, cols}, 0, 1, rng), Tensor(Shape{rows})};
  for (Index i = 0; i < rows; ++i) {
    const double sum = static_cast<double>(table.at(i, 0) + table.at(i, 1)) + 0.3 * rng.normal();
    table.target(i) = sum < -0.6 ? 0 : sum < 0.6 ? 1 : 2;
  }
  return table;
}
/// Standard normal inputs and a smooth function of the first three, or fewer, with some noise.
inline Table values(Index rows, std::uint64_t seed = 1, Index cols = 5) {
  Rng rng(seed);
  const Table table{normal({rows, cols}, 0, 1, rng), Tensor({rows, 1})};
  for (Index i = 0; i < rows; ++i) {
    const auto x = [&](Index j) { return static_cast<double>(table.at(i, j % cols)); };
    table.target(i) = static_cast<Scalar>(std::sin(x(0)) + 0.7 * x(1) - 0.5 * x(2) + 0.3 * rng.normal());
  }
  return table;
}

/// What a review of the data finds, each of which has a headline of at most 140 characters.
inline std::vector<train::Anomaly> review(const Table& train_set, const Table* validation, train::Task task,
                                          const train::CheckOptions& on = {}) {
  const auto data = train_set.data(), held_out = (validation ? validation : &train_set)->data();
  const train::DataPart other{.rows = train::Rows(held_out), .name = "validation"};
  const auto found = train::review_data({train::Rows(data)}, validation ? &other : nullptr, on, task, true).anomalies;
  for (const auto& anomaly : found) {
    const std::string line = anomaly.headline();
    CAPTURE(line);
    CHECK(line.size() <= 140);
  }
  return found;
}
inline std::vector<train::Anomaly> review(const Table& table, train::Task task) { return review(table, nullptr, task); }

/// The first anomaly of that name; null for none.
inline const train::Anomaly* find(const std::vector<train::Anomaly>& found, const std::string& name) {
  for (const auto& anomaly : found)
    if (anomaly.name == name) return &anomaly;
  return nullptr;
}
/// The names of all, in order.
inline std::string names(const std::vector<train::Anomaly>& found) {
  std::string text;
  for (const auto& anomaly : found) text += (text.empty() ? "" : " ") + anomaly.name;
  return text;
}
inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace tables
