#include <handrail/train/math/student.h>

#include <cmath>
#include <numbers>

namespace handrail::train {
namespace {

// The probability of [-t, t], where t = sqrt(degrees) * tan(angle).
double probability(double angle, Index degrees) {
  const double s = std::sin(angle), c = std::cos(angle);
  const bool odd = degrees % 2 == 1;
  double sum = 0, term = odd ? c : 1;
  for (Index k = odd ? 1 : 0; k <= degrees - 2; k += 2) {
    sum += term;
    term *= c * c * static_cast<double>(k + 1) / static_cast<double>(k + 2);
  }
  return odd ? 2 / std::numbers::pi * (angle + s * sum) : s * sum;
}

}  // namespace

double student_bound(double share, Index degrees) {
  double low = 0, high = std::numbers::pi / 2;
  for (int halvings = 0; halvings < 60; ++halvings) {
    const double middle = (low + high) / 2;
    (probability(middle, degrees) < share ? low : high) = middle;
  }
  return std::sqrt(static_cast<double>(degrees)) * std::tan(low);
}

}  // namespace handrail::train
