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
  return polynomial(x, -2.3126725887987436e-05F, 1.4574885754740362e-05F, 0.00039891396652012005F,
                    -0.0009653608664349754F, -0.004377928790712392F, 0.03780533682465598F, -0.14216537413178154F,
                    0.3568301168602693F, -0.6596053747481869F, 0.9255424434364F) *
         w;
}
inline double scaled_tail(double s) {
  const double w = 1 / (s + 4.25);
  const double x = mul_add(-9.426282051282051, w, 1.2179487179487178);
  return polynomial(x, -1.090756435431357e-10, -2.4256689006640825e-10, 9.996022543974977e-10, 3.370912676795937e-09,
                    -3.8444853959623664e-09, -2.8074163025725144e-08, -2.5007903119470404e-09, 1.9523414663453108e-07,
                    1.8099886161613848e-07, -1.3411283252304702e-06, -2.0546572894397956e-06, 1.0425580308182732e-05,
                    1.7302439770807452e-05, -0.00010068475616223012, -8.9362164246146e-05, 0.0011597954605543016,
                    -0.001245344151176102, -0.011008226278457512, 0.06254789303326748, -0.1876177904184525,
                    0.39709562144539184, -0.643879119139351, 0.8252389981186125) *
         w;
}

// (P(X < x) - 1/2) / x for |x| < 1 as a Taylor series in z = x^2.
inline float central_series(float z) {
  return polynomial(z, -4.12266741e-08F, 6.65969352e-07F, -9.44465626e-06F, 0.000115434688F, -0.00118732822F,
                    0.00997355701F, -0.0664903801F, 0.39894228F);
}
inline double central_series(double z) {
  return polynomial(z, -2.896516732371323e-16, 8.133418984498675e-15, -2.121761474217046e-13, 5.1124347902563106e-12,
                    -1.1301171641619213e-10, 2.2735298243728065e-09, -4.122667414862689e-08, 6.659693516316651e-07,
                    -9.444656259503615e-06, 0.00011543468761615529, -0.0011873282154804543, 0.009973557010035817,
                    -0.06649038006690544, 0.3989422804014327);
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
