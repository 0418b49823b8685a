#pragma once

#include <algorithm>
#include <cstdint>

#include "torture/resume_case.h"
#include "torture/simulate/plan.h"

namespace simulate {

using namespace resume_case;

/// Draws what happens from the number of the case.
class Fate {
 public:
  explicit Fate(std::uint64_t number) : rng_(StreamKey{.seed = number, .stream = Stream::user, .position = 1}) {}

  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(n))); }
  bool one_of(std::int64_t n) { return below(n) == 0; }
  /// A random case, with checks and LR finder now and then, or large enough for several threads.
  Case grown(std::uint64_t number);
  /// A session to which nothing happens that could change or end it.
  Plan calm();
  /// A session to which one or two things happen. extent: of the run when nothing does.
  Plan troubled(const Case& c, const Extent& extent);

 private:
  static constexpr Index wide = 2048;  // enough for kernels to use several threads

  // A number from 1 to n; often a small one, because much happens at the start.
  std::int64_t instant(std::int64_t n) {
    return 1 + below(std::max<std::int64_t>(1, one_of(3) ? 60 : one_of(2) ? n / 3 : n));
  }
  // What changes nothing.
  world::Weather weather(std::int64_t instants);

  Rng rng_;
};

}  // namespace simulate
