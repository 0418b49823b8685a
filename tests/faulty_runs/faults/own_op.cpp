#include "faults/fault.h"

namespace faulty_runs {
namespace {

// An op of the user's whose backward pass is a function of the gradient of its output and of its input.
Tensor own_op(const Tensor& x, const std::function<double(double)>& value, const Slope& slope) {
  const Tensor y(x.shape());
  for (Index i = 0; i < x.size(); ++i)
    y.mutable_data()[i] = static_cast<Scalar>(value(static_cast<double>(x.data()[i])));
  return Tape::record("own_op", {x}, y, [x = Saved(x), slope](const Backward& b) {
    if (!b[0].needed()) return;
    const auto [data, accumulate] = b[0].target();
    for (Index i = 0; i < x->size(); ++i) {
      const auto g =
          static_cast<Scalar>(slope(static_cast<double>(b.output_grad().data()[i]), static_cast<double>(x->data()[i])));
      data[i] = accumulate ? data[i] + g : g;
    }
  });
}

}  // namespace

void with_activation(Program& p, const std::function<Tensor(const Tensor&)>& function, Index first, Index second) {
  p.make_model = [function, first, second](const Program& q, Rng& rng) {
    nn::Sequential model{nn::Linear{q.train.columns(), first, rng}};
    model.push_back(Lambda(function));
    model.push_back(nn::Linear{first, second, rng});
    model.push_back(Lambda(function));
    model.push_back(nn::Linear{second, q.outputs, rng});
    return model;
  };
}

void with_op(Program& p, const std::function<double(double)>& value, const Slope& slope) {
  with_activation(
      p, [value, slope](const Tensor& x) { return own_op(x, value, slope); }, 48, 32);
}

}  // namespace faulty_runs
