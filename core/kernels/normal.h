#pragma once

#include <handrail/core/kernels/functions.h>

// Inside the kernels: the standard normal distribution, without branches, as in functions.h.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// P(X > s) e^(s^2 / 2) for s from 0 to where the probability underflows: a Chebyshev fit of this value times s + 4.25,
// as a polynomial of 1 / (s + 4.25). The absolute error is at most 4e-9 in float and 1e-16 in double.
inline float scaled_tail(float s) {
  const float w = 1 / (s + 4.25F);
  const float x = mul_add(-10.9913793F, w, 1.58620690F);
  float p = -2.3126725887987436e-05F;
  p = mul_add(p, x, 1.4574885754740362e-05F);
  p = mul_add(p, x, 0.00039891396652012005F);
  p = mul_add(p, x, -0.0009653608664349754F);
  p = mul_add(p, x, -0.004377928790712392F);
  p = mul_add(p, x, 0.03780533682465598F);
  p = mul_add(p, x, -0.14216537413178154F);
  p = mul_add(p, x, 0.3568301168602693F);
  p = mul_add(p, x, -0.6596053747481869F);
  p = mul_add(p, x, 0.9255424434364F);
  return p * w;
}
inline double scaled_tail(double s) {
  const double w = 1 / (s + 4.25);
  const double x = mul_add(-9.426282051282051, w, 1.2179487179487178);
  double p = -1.090756435431357e-10;
  p = mul_add(p, x, -2.4256689006640825e-10);
  p = mul_add(p, x, 9.996022543974977e-10);
  p = mul_add(p, x, 3.370912676795937e-09);
  p = mul_add(p, x, -3.8444853959623664e-09);
  p = mul_add(p, x, -2.8074163025725144e-08);
  p = mul_add(p, x, -2.5007903119470404e-09);
  p = mul_add(p, x, 1.9523414663453108e-07);
  p = mul_add(p, x, 1.8099886161613848e-07);
  p = mul_add(p, x, -1.3411283252304702e-06);
  p = mul_add(p, x, -2.0546572894397956e-06);
  p = mul_add(p, x, 1.0425580308182732e-05);
  p = mul_add(p, x, 1.7302439770807452e-05);
  p = mul_add(p, x, -0.00010068475616223012);
  p = mul_add(p, x, -8.9362164246146e-05);
  p = mul_add(p, x, 0.0011597954605543016);
  p = mul_add(p, x, -0.001245344151176102);
  p = mul_add(p, x, -0.011008226278457512);
  p = mul_add(p, x, 0.06254789303326748);
  p = mul_add(p, x, -0.1876177904184525);
  p = mul_add(p, x, 0.39709562144539184);
  p = mul_add(p, x, -0.643879119139351);
  p = mul_add(p, x, 0.8252389981186125);
  return p * w;
}

// (P(X < x) - 1/2) / x for |x| < 1 as a Taylor series in z = x^2.
inline float central_series(float z) {
  float p = -4.12266741e-08F;
  p = mul_add(p, z, 6.65969352e-07F);
  p = mul_add(p, z, -9.44465626e-06F);
  p = mul_add(p, z, 0.000115434688F);
  p = mul_add(p, z, -0.00118732822F);
  p = mul_add(p, z, 0.00997355701F);
  p = mul_add(p, z, -0.0664903801F);
  return mul_add(p, z, 0.39894228F);
}
inline double central_series(double z) {
  double p = -2.896516732371323e-16;
  p = mul_add(p, z, 8.133418984498675e-15);
  p = mul_add(p, z, -2.121761474217046e-13);
  p = mul_add(p, z, 5.1124347902563106e-12);
  p = mul_add(p, z, -1.1301171641619213e-10);
  p = mul_add(p, z, 2.2735298243728065e-09);
  p = mul_add(p, z, -4.122667414862689e-08);
  p = mul_add(p, z, 6.659693516316651e-07);
  p = mul_add(p, z, -9.444656259503615e-06);
  p = mul_add(p, z, 0.00011543468761615529);
  p = mul_add(p, z, -0.0011873282154804543);
  p = mul_add(p, z, 0.009973557010035817);
  p = mul_add(p, z, -0.06649038006690544);
  return mul_add(p, z, 0.3989422804014327);
}

// The distribution function P(X < x) and the density at x. The probability is at most 3 ulp off for x > -1; below, its
// absolute error is at most one ulp of 1.
struct Normal {
  Scalar cdf, density;
};
inline Normal normal(Scalar x) {
  constexpr Scalar underflows = sizeof(Scalar) == 4 ? Scalar(14.5) : Scalar(39);
  const Scalar size = abs(x);
  const Scalar s = size > underflows ? underflows : size;  // keeps a NaN
  const Scalar e = exp(Scalar(-0.5) * s * s);
  const Scalar tail = e * scaled_tail(s);
  const Scalar central = mul_add(x, central_series(x * x), Scalar(0.5));
  return {size < 1 ? central : x < 0 ? tail : 1 - tail, e * Scalar(0.39894228040143267794)};
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
