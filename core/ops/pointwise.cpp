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

namespace {

// Beyond this, the square under the root may overflow, and the 1 beside it is below the rounding of the square.
constexpr Scalar far_out = Scalar(1e8);

Scalar smooth_clipped(Scalar x, Scalar bend) {
  const Scalar t = bend * x;
  if (bend == 0) return x;
  return std::abs(t) > far_out ? std::copysign(1 / bend, x) : x / std::sqrt(1 + t * t);
}

Scalar smooth_clip_slope(Scalar x, Scalar bend) {
  const Scalar t = bend * x;
  if (bend == 0) return 1;
  const Scalar root = std::sqrt(1 + t * t);  // may be infinite: then the slope is 0
  return 1 / (root * root * root);
}

auto in_each_row(const Tensor& bend, Index rows) { return matrix(bend).replicate(rows, 1); }

}  // namespace

Tensor smooth_clip(const Tensor& x, const Tensor& bend) {
  if (x.shape().rank() < 1 || bend.shape() != Shape{x.shape().cols()})
    fail<ShapeError>("smooth_clip: want x [..., D] and bend [D]; got x ", x.shape(), ", bend ", bend.shape());
  if (bend.requires_grad())
    fail<OptionError>("smooth_clip: want a bend that is a constant; got one that requires a gradient");
  const Tensor y(x.shape());
  mutable_matrix(y) = matrix(x).binaryExpr(in_each_row(bend, x.shape().rows()), &smooth_clipped);
  return Tape::record("smooth_clip", {x}, y, [x = Saved(x), bend = Saved(bend)](const Backward& b) {
    b[0] += matrix(b.output_grad())
                .cwiseProduct(matrix(*x).binaryExpr(in_each_row(*bend, x->shape().rows()), &smooth_clip_slope));
  });
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
