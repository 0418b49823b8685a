#include <handrail/nn/linear.h>

#include <cmath>
#include <initializer_list>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

namespace handrail::nn {
namespace {

Tensor initial(std::initializer_list<Index> shape, Index in, Index out, Rng& rng) {
  if (in < 1 || out < 1) fail<OptionError>("Linear: want in and out of at least 1; got ", in, " and ", out);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  return uniform(shape, -bound, bound, rng);
}

}  // namespace

Linear::Linear(Index in, Index out, Rng& rng, LinearOptions options)
    : weight(param("weight", Role::weight, initial({in, out}, in, out, rng))),
      bias(options.bias ? param("bias", Role::bias, initial({out}, in, out, rng)) : Tensor()) {}

Tensor Linear::forward(const Tensor& x) const { return linear(x, weight, bias); }

std::vector<Operation> Linear::operations() const {
  return {{.kind = OperationKind::linear, .constants = {weight, bias}}};
}

}  // namespace handrail::nn
