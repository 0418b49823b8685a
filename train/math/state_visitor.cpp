#include <handrail/train/math/state_visitor.h>

#include <cmath>

#include <handrail/core/system/finite.h>

namespace handrail::train {

void StateVisitor::number(double& value) {
  if (!reading_) {
    written_.push_back(value);
    return;
  }
  if (!ok_ || rest_.empty() || !is_finite(rest_.front())) {
    ok_ = false;
    value = 0;
    return;
  }
  value = rest_.front();
  rest_ = rest_.subspan(1);
}

void StateVisitor::numbers(std::span<double> values) {
  for (double& value : values) number(value);
}

std::int64_t StateVisitor::whole(std::int64_t value, std::int64_t max) {
  auto real = static_cast<double>(value);
  number(real);
  if (!reading_) return value;
  if (real < 0 || real > static_cast<double>(max) || real != std::floor(real)) ok_ = false;
  return ok_ ? static_cast<std::int64_t>(real) : 0;
}

void StateVisitor::rest(std::vector<double>& values) {
  if (!reading_) {
    written_.insert(written_.end(), values.begin(), values.end());
    return;
  }
  values.assign(rest_.begin(), rest_.end());
  rest_ = {};
}

}  // namespace handrail::train
