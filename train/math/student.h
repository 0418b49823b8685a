#pragma once

#include <handrail/core/scalar.h>

namespace handrail::train {

/// The t for which a value of Student's distribution lies in [-t, t] with the probability `share`: 2.776 for 0.95 and 4
/// degrees of freedom. share: in (0, 1). degrees: at least 1. By bisection of the probability in closed form
/// (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).
double student_bound(double share, Index degrees);

}  // namespace handrail::train
