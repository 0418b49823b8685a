#include <cmath>

#include <handrail/core/eigen.h>
#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

// Functions of each element that are not hot. They use <cmath> and comparisons, so that an element's value does not
// depend on its place: Eigen's functions of whole packets round otherwise than those of the last elements.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high)) fail<OptionError>("clamp: want low <= high; got ", low, " and ", high);
  const auto lowest = static_cast<Scalar>(low), highest = static_cast<Scalar>(high);
  const Tensor y(x.shape());
  mutable_array(y) = array(x).unaryExpr([=](Scalar e) { return e < lowest ? lowest : e > highest ? highest : e; });
  return Tape::record("clamp", {x}, y, [=, x = Saved(x)](const Backward& b) {
    b[0] += (array(*x) >= lowest && array(*x) <= highest).select(array(b.output_grad()), Scalar(0));
  });
}

Tensor pow(const Tensor& x, double exponent) {
  const auto power = static_cast<Scalar>(exponent);
  const Tensor y(x.shape());
  mutable_array(y) = array(x).unaryExpr([=](Scalar e) { return std::pow(e, power); });
  return Tape::record("pow", {x}, y, [=, x = Saved(x)](const Backward& b) {
    b[0] += array(b.output_grad()) *
            array(*x).unaryExpr([=](Scalar e) { return power == 0 ? Scalar(0) : power * std::pow(e, power - 1); });
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
