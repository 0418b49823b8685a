#include <handrail/train/math/state_reader.h>

#include <cmath>

#include <handrail/core/system/finite.h>

namespace handrail::train {

double StateReader::number() {
  if (!ok_ || rest_.empty() || !is_finite(rest_.front())) {
    ok_ = false;
    return 0;
  }
  const double value = rest_.front();
  rest_ = rest_.subspan(1);
  return value;
}

std::int64_t StateReader::count(std::int64_t most) {
  const double value = number();
  if (value < 0 || value > static_cast<double>(most) || value != std::floor(value)) ok_ = false;
  return ok_ ? static_cast<std::int64_t>(value) : 0;
}

void StateReader::numbers(std::span<double> places) {
  for (double& place : places) place = number();
}

}  // namespace handrail::train
