#pragma once

#include <functional>
#include <string>
#include <vector>

#include <handrail/core/tape.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

struct GradcheckOptions {
  double tolerance = 1e-6;  // of the relative error
  double step = 1e-3;       // of the differences, relative to max(1, |x|)
  Mode mode = Mode::train;
};

struct GradcheckResult {
  bool passed = false;
  double max_relative_error = 0;
  std::string worst;  // where it is, with both values
};

/// Compares the gradients of f, in each of its inputs that requires one, with fourth-order central
/// differences (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h of f's output, of any shape, summed with
/// fixed random weights. The error of an element is relative to the larger of both values, or to a
/// thousandth of the largest gradient of that input where both are smaller; the rounding of the
/// differences alone never exceeds the tolerance.
///
/// f gets the inputs in order and must be a smooth function of them near the given values. Random
/// ops in it draw the same numbers each time. Throws OptionError in the float build, whose rounding
/// hides all but gross errors: link handrail::handrail_f64.
GradcheckResult gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
                          GradcheckOptions options = {});

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
