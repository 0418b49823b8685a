#include <handrail/train/metrics/calibration.h>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/tensor.h>

#include "support/check_throws.h"

using namespace handrail;
using train::CalibrationError;
using train::fit_temperature;
using train::Task;

namespace {

// Logits of `rows` rows, all with `height` at class 0 and 0 elsewhere. The first `right` are of class 0, the others
// of 1.
struct Heights {
  Tensor logits, targets;
  Heights(Index rows, Index right, Index classes, Scalar height)
      : logits(Tensor::zeros({rows, classes})), targets(Tensor::zeros({rows})) {
    for (Index i = 0; i < rows; ++i) {
      logits.mutable_data()[i * classes] = height;
      if (i >= right) targets.mutable_data()[i] = 1;
    }
  }
};

double logit(double p) { return std::log(p / (1 - p)); }

}  // namespace

TEST_CASE("the calibration error is the mean distance of confidence and share of right predictions, over 15 bins") {
  CalibrationError error;
  CHECK(std::isnan(error.value()));
  error.add(0.95, true);
  error.add(0.95, false);
  error.add(0.65, true);
  error.add(0.55, true);
  CHECK(error.value() == doctest::Approx((0.9 + 0.35 + 0.45) / 4));
  // In one bin, from 0.6 without to 0.6667, what is too sure and what is not sure enough cancel out.
  CalibrationError bin;
  bin.add(0.61, false);
  bin.add(0.66, true);
  CHECK(bin.value() == doctest::Approx(0.27 / 2));
  CalibrationError edges;
  edges.add(1.0, true);
  edges.add(0.6, true);  // the upper edge of a bin belongs to it
  edges.add(0.59, false);
  edges.add(NAN, true);
  CHECK(edges.value() == doctest::Approx((1.19 - 1) / 3));
}

TEST_CASE("confidence is the probability of the class that is predicted") {
  CalibrationError error;
  // softmax is 0.75, 0.25 and 0.2, 0.2, 0.6 with log(3) at one place.
  error.add(Task::multiclass, Tensor({2, 3}, {0, 0, std::log(Scalar(3)), std::log(Scalar(8)), 0, 0}),
            Tensor({2}, {2, 1}));
  CHECK(error.value() == doctest::Approx((0.4 + 0.8) / 2));
  CalibrationError binary;
  binary.add(Task::binary, Tensor({2}, {std::log(Scalar(3)), -std::log(Scalar(4))}), Tensor({2}, {1, 1}));
  CHECK(binary.value() == doctest::Approx((0.25 + 0.8) / 2));
  check_throws<ShapeError>(
      [&] {
        error.add(Task::multiclass, Tensor({2, 3}), Tensor(Shape{3}));
      },
      "calibration error: want predictions [N, C], targets [N]; got [2, 3] and [3]");
  check_throws<DataError>([&] { error.add(Task::multiclass, Tensor::zeros({1, 3}), Tensor({1}, {3})); }, "in row 0");
}

TEST_CASE("the temperature makes the probability the share that is right, with half a row more of each kind") {
  // Six of eight are right. The second derivative is proportional to p (1 - p), which counts as half a row of each.
  const double share = 6.5 / 9;
  const Heights three(8, 6, 3, 3);
  CHECK(fit_temperature(Task::multiclass, three.logits, three.targets).value ==
        doctest::Approx(3 / std::log(2 * share / (1 - share))));

  const Tensor logits({8}, std::vector<Scalar>{3, 3, 3, 3, -3, -3, -3, -3}), targets({8}, {1, 1, 1, 0, 0, 0, 0, 1});
  const auto binary = fit_temperature(Task::binary, logits, targets);
  CHECK(binary.value == doctest::Approx(3 / logit(share)));
  const auto objective = [](double p) { return -6.5 * std::log(p) - 2.5 * std::log(1 - p); };
  CHECK(binary.likelihood_ratio == doctest::Approx(2 * (objective(1 / (1 + std::exp(-3))) - objective(share))));
}

TEST_CASE("right predictions alone do not make a model certain") {
  const Heights all(8, 8, 2, 3);
  const auto few = fit_temperature(Task::multiclass, all.logits, all.targets);
  CHECK(few.value == doctest::Approx(3 / std::log(17)));
  CHECK(few.likelihood_ratio < 3.84);
  const Heights many(1000, 1000, 2, 3);
  const auto fitted = fit_temperature(Task::multiclass, many.logits, many.targets);
  CHECK(fitted.value == doctest::Approx(3 / std::log(2001)));
  CHECK(fitted.likelihood_ratio > 3.84);
}

TEST_CASE("a temperature is found for logits of any size, and kept within 0.01 and 100") {
  for (const Scalar height : {Scalar(1e-3), Scalar(0.1), Scalar(20), Scalar(80), Scalar(120)}) {
    CAPTURE(height);
    const Heights rows(8, 6, 3, height);
    const double wanted = static_cast<double>(height) / std::log(2 * 6.5 / 2.5);
    const double limited = std::min(100.0, std::max(0.01, wanted));
    CHECK(fit_temperature(Task::multiclass, rows.logits, rows.targets).value == doctest::Approx(limited).epsilon(1e-4));
  }
  // Logits that say nothing stay as they are.
  const Heights none(8, 6, 3, 0), broken(8, 6, 3, NAN);
  CHECK(fit_temperature(Task::multiclass, none.logits, none.targets).value == 1);
  CHECK(fit_temperature(Task::multiclass, broken.logits, broken.targets).value == 1);
}
