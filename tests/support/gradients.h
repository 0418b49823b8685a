#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <handrail/core/gradcheck.h>
#include <handrail/core/random.h>

/// One gradient check: inputs are drawn by make, f is a smooth function of them near there.
struct GradientRow {
  std::string name;  // of the op or layer; after a colon, what is special about the row
  std::function<std::vector<handrail::Tensor>(handrail::Rng&)> make;
  std::function<handrail::Tensor(const std::vector<handrail::Tensor>&)> f;
  handrail::Mode mode = handrail::Mode::train;
};

/// Checks the row on several draws, with gradients wanted of all inputs together and of each alone.
inline void check_gradients(const GradientRow& row) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    handrail::Rng rng(seed);
    const std::vector<handrail::Tensor> inputs = row.make(rng);
    for (std::size_t only = 0; only <= (inputs.size() > 1 ? inputs.size() : 0); ++only) {
      for (std::size_t i = 0; i < inputs.size(); ++i)
        inputs[i].set_requires_grad(only == inputs.size() || inputs.size() == 1 || i == only);
      const handrail::GradcheckResult result = handrail::gradcheck(row.f, inputs, {.mode = row.mode});
      CHECK_MESSAGE(result.passed, row.name, ", seed ", seed, ", error ", result.max_relative_error, " at ",
                    result.worst);
    }
  }
}

/// A size in [1, 5].
inline handrail::Index any_size(handrail::Rng& rng) { return 1 + static_cast<handrail::Index>(rng.below(5)); }

/// Elements in [-2, 2], and at least 0.2 away from 0, where some functions have a kink.
inline handrail::Tensor off_zero(const handrail::Shape& shape, handrail::Rng& rng) {
  handrail::Tensor t = handrail::uniform(shape, 0.2, 2, rng);
  for (handrail::Scalar& element : t.mutable_span())
    if (rng.below(2) == 1) element = -element;
  return t;
}
