#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/drift_checks.h>

// Rows of a table as points, and their nearest neighbours. Distances are Euclidean, over at most 64 columns, each
// standardised by the training set and cut to 5 standard deviations.

namespace handrail::train {

/// Some rows of a table, as columns of coordinates.
struct Points {
  std::vector<std::size_t> positions = {};  // in their table
  std::vector<std::vector<float>> coordinates = {};

  std::size_t size() const { return positions.size(); }
};

/// At most `wanted` of the numbers 0 to count - 1, evenly spaced.
std::vector<std::size_t> evenly(std::size_t count, std::size_t wanted);

/// The columns of the inputs that vary, at most 64 of them, evenly spaced.
std::vector<std::size_t> varying_columns(const Described& data);

/// At most `count` rows of a table, evenly spaced, with these columns as coordinates. train: describes the training
/// set. irregular: one row of each stretch of rows instead, so that a pattern that repeats, such as every second row,
/// is not met in step.
Points points_of(const DataTable& table, std::span<const Column> train, std::span<const std::size_t> columns,
                 std::size_t count, bool irregular = false);

/// The squared distances of all points from a query, an infinite one for the point `self`.
void squared_distances(const Points& points, const Points& queries, std::size_t query, std::size_t self,
                       std::vector<float>& distances);

/// The nearest point of a query, and how far away others are.
struct Neighbour {
  std::size_t index = 0;                                                    // of the nearest point
  float distance = 0;                                                       // its distance
  float tenth_distance = 0, twentieth_distance = 0, sixtieth_distance = 0;  // those of neighbours farther away
};
/// The nearest point of a query other than `self`. distances: a buffer.
Neighbour nearest(const Points& points, const Points& queries, std::size_t query, std::size_t self,
                  std::vector<float>& distances);

}  // namespace handrail::train
