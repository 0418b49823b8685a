#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/tensor.h>

namespace handrail::train {

/// Logits [rows, classes] and labels [rows].
struct Classified {
  const Scalar* logits;
  const Scalar* labels;
  Index rows, classes;

  const Scalar* row(Index i) const { return logits + i * classes; }
  Index label(Index i) const { return static_cast<Index>(labels[i]); }
  Index predicted(Index i) const { return std::max_element(row(i), row(i) + classes) - row(i); }
};

/// Throws ShapeError on other shapes, DataError on a target that is no class. who: for the message.
inline Classified classified(const char* who, const Tensor& predictions, const Tensor& targets) {
  const Shape& shape = predictions.shape();
  if (shape.rank() != 2 || shape[1] == 0 || targets.size() != shape[0])
    fail<ShapeError>(who, ": want predictions [N, C], targets [N]; got ", shape, " and ", targets.shape());
  const Classified data{predictions.data(), targets.data(), shape[0], shape[1]};
  for (Index i = 0; i < data.rows; ++i)
    if (!(data.labels[i] >= 0 && data.labels[i] < static_cast<Scalar>(data.classes)))
      throw DataError(concat(who, ": want a class in [0, ", data.classes, "); got ", data.labels[i], " in row ", i), i);
  return data;
}

/// The number of rows of each class.
inline std::vector<double> class_counts(const Classified& data) {
  std::vector<double> counts(static_cast<std::size_t>(data.classes));
  for (Index i = 0; i < data.rows; ++i) ++counts[static_cast<std::size_t>(data.label(i))];
  return counts;
}

/// Whether the share of correct predictions is above `share` by more than 2 standard errors.
inline bool clearly_above(double right, double samples, double share) {
  const double accuracy = right / samples;
  return accuracy - share > 2 * std::sqrt(std::max(share * (1 - share), accuracy * (1 - accuracy)) / samples);
}

}  // namespace handrail::train
