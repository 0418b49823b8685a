#include <handrail/nn/dropout.h>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

namespace handrail::nn {

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p < 1)) fail<OptionError>("Dropout: want a probability in [0, 1); got ", p);
}

Tensor Dropout::forward(const Tensor& x) const { return dropout(x, p_); }

std::string Dropout::settings() const { return concat("p ", p_); }

}  // namespace handrail::nn
