#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include <handrail/core/scalar.h>

namespace reference {

/// Checks |got - want| <= tolerance * max(|want|, floor) for every element: relative, except for
/// elements far below `floor`, which lose digits to the larger ones they are the difference of.
inline void check_close(std::span<const handrail::Scalar> got, std::span<const double> want, double tolerance,
                        double floor) {
  REQUIRE(got.size() <= want.size());
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - want[i]) / std::max(std::abs(want[i]), floor);
    if (!(error <= worst)) {
      worst = error;
      at = i;
    }
    if (std::isnan(error)) break;
  }
  CHECK_MESSAGE(worst <= tolerance, "element ", at, ": got ", got[at], ", want ", want[at], ", relative error ", worst);
}

}  // namespace reference
