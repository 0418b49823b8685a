#include <handrail/nn/norm.h>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

namespace handrail::nn {

LayerNorm::LayerNorm(Index features, double eps)
    : weight(param("weight", Role::norm, Tensor::ones({features}))),
      bias(param("bias", Role::norm, Tensor::zeros({features}))),
      eps_(eps) {}

Tensor LayerNorm::forward(const Tensor& x) const { return layer_norm(x, weight, bias, eps_); }

std::vector<Operation> LayerNorm::operations() const {
  return {{.kind = OperationKind::layer_norm, .constants = {weight, bias}, .first = eps_}};
}

std::string LayerNorm::settings() const { return concat("eps ", eps_); }

BatchNorm1d::BatchNorm1d(Index features, BatchNormOptions options)
    : weight(param("weight", Role::norm, Tensor::ones({features}))),
      bias(param("bias", Role::norm, Tensor::zeros({features}))),
      running_mean(buffer("running_mean", Tensor::zeros({features}))),
      running_var(buffer("running_var", Tensor::ones({features}))),
      options_(options) {}

Tensor BatchNorm1d::forward(const Tensor& x) const {
  return batch_norm(x, weight, bias, {.mean = running_mean, .variance = running_var}, options_.momentum, options_.eps);
}

std::vector<Operation> BatchNorm1d::operations() const {
  return {{.kind = OperationKind::batch_norm,
           .constants = {weight, bias, running_mean, running_var},
           .first = options_.eps}};
}

std::string BatchNorm1d::settings() const { return concat("momentum ", options_.momentum, ", eps ", options_.eps); }

}  // namespace handrail::nn
