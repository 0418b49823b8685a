#include <handrail/train/guard.h>

#include <handrail/core/error.h>
#include <handrail/core/finite.h>

namespace handrail::train {

Verdict NonFiniteGuard::before_update(const StepStats& stats) {
  if (is_finite(stats.loss) && is_finite(stats.grad_norm)) {
    in_a_row_ = 0;
    return Verdict::proceed;
  }
  loss_ = stats.loss;
  grad_norm_ = stats.grad_norm;
  return ++in_a_row_ < patience_ ? Verdict::skip : Verdict::stop;
}

std::string NonFiniteGuard::reason() const {
  return concat("loss ", loss_, ", gradient norm ", grad_norm_, ", ", in_a_row_,
                " in a row; no parameter was changed; ",
                "look for NaN or huge values in the data, then try a lower rate");
}

}  // namespace handrail::train
