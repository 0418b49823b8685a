#include <handrail/nn/activation.h>

#include <handrail/core/ops/ops.h>

namespace handrail::nn {

Tensor ReLU::forward(const Tensor& x) const { return relu(x); }
Tensor Tanh::forward(const Tensor& x) const { return tanh(x); }
Tensor Sigmoid::forward(const Tensor& x) const { return sigmoid(x); }
Tensor GELU::forward(const Tensor& x) const { return gelu(x); }
Tensor Softplus::forward(const Tensor& x) const { return softplus(x); }

std::vector<Operation> ReLU::operations() const { return {{.kind = OperationKind::relu}}; }
std::vector<Operation> Tanh::operations() const { return {{.kind = OperationKind::tanh}}; }
std::vector<Operation> Sigmoid::operations() const { return {{.kind = OperationKind::sigmoid}}; }
std::vector<Operation> GELU::operations() const { return {{.kind = OperationKind::gelu}}; }
std::vector<Operation> Softplus::operations() const { return {{.kind = OperationKind::softplus}}; }

Tensor Flatten::forward(const Tensor& x) const {
  const Index n = x.shape()[0];
  return reshape(x, {n, x.shape().without_first().size()});
}

std::vector<Operation> Flatten::operations() const { return {{.kind = OperationKind::flatten}}; }

}  // namespace handrail::nn
