#pragma once

#include <string>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// What is wrong with the constants, behind the words "want a normalization"; empty when nothing is.
inline std::string problem_of(const Normalization& constants) {
  if (is_finite(constants.mean) && is_finite(constants.stddev) && constants.stddev > 0) return {};
  return concat(" with a finite mean and a finite stddev > 0; got ", constants.mean, " and ", constants.stddev);
}

}  // namespace handrail::train
