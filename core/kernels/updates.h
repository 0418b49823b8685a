#pragma once

#include <handrail/core/kernels/functions.h>
#include <handrail/core/kernels/sums.h>

// Inside the kernels: the update rules of the optimizers.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

double adam(const AdamStep& step, const Scalar* __restrict g, Index size, Scalar* __restrict w, Scalar* __restrict m,
            Scalar* __restrict v) {
  const AdamStep c = step;  // a copy, which the compiler knows the stores below cannot change
  Bits largest = 0;
  for (Index i = 0; i < size; ++i) {
    const Scalar grad = mul_add(c.scale, g[i], c.penalty * w[i]);
    const Scalar first_moment = mul_add(c.beta1, m[i], c.gain1 * grad);
    const Scalar second_moment = mul_add(c.beta2, v[i], c.gain2 * grad * grad);
    const Scalar step_size = c.rate * first_moment / mul_add(sqrt(second_moment), c.correction, c.eps);
    const Scalar weight = mul_add(c.keep, w[i], -step_size);
    m[i] = first_moment;
    v[i] = second_moment;
    w[i] = weight;
    largest = larger(largest, larger(magnitude(weight), larger(magnitude(first_moment), magnitude(second_moment))));
  }
  return to_double(largest);
}

double sgd(const SgdStep& step, const Scalar* __restrict g, Index size, Scalar* __restrict w) {
  const SgdStep c = step;
  Bits largest = 0;
  for (Index i = 0; i < size; ++i) {
    const Scalar weight = mul_add(-c.rate, mul_add(c.scale, g[i], c.penalty * w[i]), w[i]);
    w[i] = weight;
    largest = larger(largest, magnitude(weight));
  }
  return to_double(largest);
}

double sgd_momentum(const SgdStep& step, const Scalar* __restrict g, Index size, Scalar* __restrict w,
                    Scalar* __restrict u) {
  const SgdStep c = step;
  Bits largest = 0;
  for (Index i = 0; i < size; ++i) {
    const Scalar grad = mul_add(c.scale, g[i], c.penalty * w[i]);
    const Scalar moment = mul_add(c.momentum, u[i], grad);
    const Scalar weight = mul_add(-c.rate, mul_add(c.direct, grad, c.ahead * moment), w[i]);
    u[i] = moment;
    w[i] = weight;
    largest = larger(largest, larger(magnitude(weight), magnitude(moment)));
  }
  return to_double(largest);
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
