#pragma once

#include <cstdint>
#include <limits>

#include <handrail/core/random.h>
#include <handrail/core/tensor.h>

// Predictions whose faults are known.

namespace predicted {

using namespace handrail;

struct Predicted {
  Tensor logits, targets;
};

/// A model that knows the true class, with its neighbour as second choice, and takes the neighbour in
/// a share of the rows; the targets are the true classes but for a share of random ones.
inline Predicted classify(Index classes, double mistakes, double random_labels, std::uint64_t seed, Index rows = 400) {
  Rng rng(seed);
  const auto count = static_cast<std::uint64_t>(classes);
  Predicted p{normal({rows, classes}, 0, 1, rng), Tensor(Shape{rows})};
  for (Index i = 0; i < rows; ++i) {
    const auto c = static_cast<Index>(rng.below(count));
    Scalar* row = p.logits.mutable_data() + i * classes;
    row[c] += 8;
    row[(c + 1) % classes] += rng.uniform() < mistakes ? Scalar{12} : Scalar{4};
    p.targets.mutable_data()[i] =
        static_cast<Scalar>(rng.uniform() < random_labels ? static_cast<Index>(rng.below(count)) : c);
  }
  return p;
}

constexpr Scalar not_a_number = std::numeric_limits<Scalar>::quiet_NaN();

}  // namespace predicted
