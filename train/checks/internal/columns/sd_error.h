#pragma once

#include <cmath>

namespace handrail::train {

/// The standard error of the difference of the logarithms of two standard deviations. inverse_n: 1 / n + 1 / m for n
/// and m values.
inline double log_sd_error(double kurtosis, double inverse_n) { return std::sqrt((kurtosis - 1) / 4 * inverse_n); }

}  // namespace handrail::train
