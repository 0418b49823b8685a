#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/core/scalar.h>

namespace handrail::train {

/// How the values of a tensor are distributed. Values that are not finite are left out.
struct Histogram {
  double min = 0, max = 0;
  double count = 0, sum = 0, sum_of_squares = 0;
  std::vector<double> limits = {};   // the upper end of each bucket; the first one begins at `min`
  std::vector<double> buckets = {};  // how many values each has
};

/// Counts the values in buckets of equal width; one bucket when all values are the same. Empty without a finite value.
std::optional<Histogram> histogram_of(std::span<const Scalar> values, std::size_t bucket_count = 32);

}  // namespace handrail::train
