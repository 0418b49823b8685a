#include <handrail/nn/impute.h>

#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/nn/internal/quantile.h>

namespace handrail::nn {
namespace {

Tensor zeros(Index features) {
  if (features < 1) fail<OptionError>("Impute: want at least 1 feature; got ", features);
  return Tensor::zeros({features});
}

// The lower median of the values of a column that are not its code.
Scalar median(const Tensor& inputs, Index column, Scalar code) {
  std::vector<Scalar> values;
  for (Index i = column; i < inputs.size(); i += inputs.shape()[1])
    if (const Scalar x = inputs.data()[i]; x != code) values.push_back(x);
  if (values.empty())
    fail<DataError>("Impute: want a value that is not the code ", code, " in column ", column, "; got none");
  return quantile(values, 0.5);
}

}  // namespace

Impute::Impute(Index features) : Impute(zeros(features), zeros(features), zeros(features)) {}

Impute::Impute(Tensor codes, Tensor are_coded, Tensor values)
    : code(buffer("code", std::move(codes))),
      is_coded(buffer("is_coded", std::move(are_coded))),
      value(buffer("value", std::move(values))) {}

Impute Impute::fit(const Tensor& inputs, const Tensor& codes, const Tensor& is_coded) {
  const Shape& shape = inputs.shape();
  if (shape.rank() != 2 || shape.size() == 0 || codes.size() != shape[1] || is_coded.size() != shape[1])
    fail<ShapeError>("Impute: want inputs [N, features], not empty, codes and is_coded [features]; got inputs ", shape,
                     ", codes ", codes.shape(), ", is_coded ", is_coded.shape());
  const Tensor values = Tensor::zeros({shape[1]});
  for (Index j = 0; j < shape[1]; ++j)
    if (is_coded.data()[j] != 0) values.mutable_data()[j] = median(inputs, j, codes.data()[j]);
  return {codes.clone(), is_coded.clone(), values};
}

Tensor Impute::forward(const Tensor& x) const {
  if (x.shape().rank() != 2 || x.shape()[1] != code.size())
    fail<ShapeError>("Impute: want x [N, ", code.size(), "]; got x ", x.shape());
  const Tensor known(x.shape()), filled(x.shape());
  for (Index i = 0; i < x.size(); ++i) {
    const Index j = i % code.size();
    const bool missing = is_coded.data()[j] != 0 && x.data()[i] == code.data()[j];
    known.mutable_data()[i] = missing ? 0 : 1;
    filled.mutable_data()[i] = missing ? value.data()[j] : 0;
  }
  return x * known + filled;
}

std::vector<Operation> Impute::operations() const {
  return {{.kind = OperationKind::impute, .constants = {code, is_coded, value}}};
}

}  // namespace handrail::nn
