#include <handrail/train/metrics/calibration.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <handrail/train/metrics/internal/labels.h>

namespace handrail::train {
namespace {

// The loss of rows and its second derivative, both by the inverse temperature.
struct LossAt {
  double loss = 0, curvature = 0;

  // The loss less half the logarithm of the information, whose minimum is finite.
  double penalised() const { return loss - std::log(curvature) / 2; }
};

// Adds the loss of one row against its class.
void add_row(LossAt& to, const Scalar* row, Index classes, Index truth, double inverse) {
  const auto highest = static_cast<double>(*std::max_element(row, row + classes));
  double sum = 0, first = 0, second = 0;  // moments of the distances d from the highest logit
  for (Index c = 0; c < classes; ++c) {
    const double d = static_cast<double>(row[c]) - highest, p = std::exp(inverse * d);
    sum += p;
    first += p * d;
    second += p * d * d;
  }
  to.loss += std::log(sum) - inverse * (static_cast<double>(row[truth]) - highest);
  to.curvature += (second - first * first / sum) / sum;
}

// Adds the loss of one logit against a target in [0, 1].
void add_logit(LossAt& to, double z, double target, double inverse) {
  const double x = inverse * z, small = std::exp(-std::abs(x));
  to.loss += std::max(x, 0.0) + std::log1p(small) - target * x;
  to.curvature += z * z * small / ((1 + small) * (1 + small));
}

// The probability of the class that is predicted for a label, whose logits begin at `row`: the largest of their
// softmax, or of sigmoid and 1 - sigmoid.
double confidence_of(const Scalar* row, const LabelShape& shape) {
  if (shape.task == Task::binary) return 1 / (1 + std::exp(-std::abs(static_cast<double>(*row))));
  const Scalar highest = *std::max_element(row, row + shape.classes);
  Scalar sum = 0;
  for (Index c = 0; c < shape.classes; ++c) sum += std::exp(row[c] - highest);
  return 1 / static_cast<double>(sum);
}

}  // namespace

void CalibrationError::add(double confidence, bool is_right) {
  if (std::isnan(confidence)) return;
  const double scaled = confidence * static_cast<double>(bin_count);
  auto place = static_cast<Index>(scaled);
  if (static_cast<double>(place) == scaled) --place;  // the upper edge of a bin belongs to it
  Bin& bin = bins_[static_cast<std::size_t>(std::clamp<Index>(place, 0, bin_count - 1))];
  ++bin.count;
  bin.right += is_right;
  bin.confidence += confidence;
}

void CalibrationError::add(Task task, const Tensor& predictions, const Tensor& targets) {
  const LabelShape shape = label_shape("calibration error", task, predictions, targets);
  const Scalar* row = predictions.data();
  const Index width = predictions.size() / targets.size();
  for_each_label("calibration error", shape, predictions, targets, [&](Index, Index truth, Index predicted) {
    add(confidence_of(row, shape), truth == predicted);
    row += width;
  });
}

double CalibrationError::value() const {
  Index count = 0;
  double sum = 0;
  for (const Bin& bin : bins_) {
    count += bin.count;
    sum += std::abs(static_cast<double>(bin.right) - bin.confidence);
  }
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

Temperature fit_temperature(Task task, const Tensor& logits, const Tensor& targets) {
  const LabelShape shape = label_shape("fit_temperature", task, logits, targets);
  const auto at = [&](double log_inverse) {
    LossAt all;
    const double inverse = std::exp(log_inverse);
    const Scalar *row = logits.data(), *target = targets.data();
    for_each_label("fit_temperature", shape, logits, targets, [&](Index, Index truth, Index) {
      if (task == Task::multiclass)
        add_row(all, row, shape.classes, truth, inverse);
      else
        add_logit(all, static_cast<double>(*row), static_cast<double>(*target++), inverse);
      row += task == Task::multiclass ? shape.classes : 1;
    });
    return all.penalised();
  };
  const double unchanged = at(0);
  if (!std::isfinite(unchanged)) return {};
  // The golden section search of Kiefer (1953).
  constexpr double golden = 0.6180339887498949, tolerance = 1e-6, limit = 4.605170185988092;  // ln 100
  double low = -limit, high = limit;
  double a = high - golden * (high - low), b = low + golden * (high - low);
  double at_a = at(a), at_b = at(b);
  while (high - low > tolerance) {
    if (at_a < at_b) {
      high = std::exchange(b, a);
      at_b = at_a;
      a = high - golden * (high - low);
      at_a = at(a);
    } else {
      low = std::exchange(a, b);
      at_a = at_b;
      b = low + golden * (high - low);
      at_b = at(b);
    }
  }
  const double best = (low + high) / 2, fall = unchanged - at(best);
  if (!(fall > 0)) return {};
  return {.value = std::exp(-best), .likelihood_ratio = 2 * fall};
}

}  // namespace handrail::train
