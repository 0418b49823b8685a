#pragma once

#include <functional>
#include <string>
#include <vector>

#include <handrail/core/tape.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// The differences that gradcheck() takes, and the error that it accepts.
struct GradcheckOptions {
  double tolerance = 1e-6;  // the largest relative error that passes
  double step = 1e-3;       // h of the differences is step * max(1, |x|)
  Mode mode = Mode::train;  // of the tape that f runs on
};

/// What gradcheck() returns.
struct GradcheckResult {
  bool passed = false;            // whether no relative error is above the tolerance
  double max_relative_error = 0;  // NaN when a gradient or difference is NaN, and then the check has not passed
  std::string worst;              // the element with that error, with both values; empty when all errors are 0
};

/// Compares the gradient of f with respect to each input that requires one with fourth-order central differences,
/// (f(x - 2h) - 8 f(x - h) + 8 f(x + h) - f(x + 2h)) / 12h. The output of f may have any shape: its elements are summed
/// with fixed random weights. The error of an element is relative to the larger of both values, or to a thousandth of
/// the largest gradient of that input where both are smaller. Rounding in the differences alone stays within tolerance.
///
/// f gets the inputs in order and must be a smooth function of them near the given values. Random ops in f draw the
/// same numbers at every call. Throws OptionError when no input requires a gradient, and in the float build, whose
/// rounding would hide all but large errors: link handrail::handrail_f64.
GradcheckResult gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
                          GradcheckOptions options = {});

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
