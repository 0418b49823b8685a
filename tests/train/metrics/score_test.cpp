#include <cmath>
#include <numbers>

#include <doctest/doctest.h>
#include <handrail/handrail.h>
#include <handrail/train/math/student.h>
#include <handrail/train/metrics/score.h>

#include "support/check_throws.h"

using namespace handrail;

TEST_CASE("the bounds of Student's distribution are those of its tables") {
  const struct {
    double share;
    Index degrees;
    double t;
  } table[] = {{0.95, 1, 12.7062},  {0.95, 2, 4.30265}, {0.95, 3, 3.18245}, {0.95, 4, 2.77645},    {0.95, 9, 2.26216},
               {0.95, 30, 2.04227}, {0.99, 4, 4.60409}, {0.90, 5, 2.01505}, {0.95, 1000, 1.96234}, {0.5, 1, 1}};
  for (const auto& [share, degrees, t] : table)
    CHECK(train::student_bound(share, degrees) == doctest::Approx(t).epsilon(1e-5));
}

TEST_CASE("the interval of a score is that of Nadeau and Bengio, worked out by hand") {
  // The deviations from the mean, 0.88, are -0.08, 0.02, -0.03, 0.07 and 0.02: s^2 = 0.013 / 4 = 0.00325. The corrected
  // variance of the mean is (1 / 5 + 1 / 4) 0.00325 = 0.0014625, and half of the interval 2.776445 * 0.0382427.
  const auto score = train::score_of({0.8, 0.9, 0.85, 0.95, 0.9}, 5);
  CHECK(score.mean == doctest::Approx(0.88));
  CHECK(score.low == doctest::Approx(0.88 - 0.1061787).epsilon(1e-6));
  CHECK(score.high == doctest::Approx(0.88 + 0.1061787).epsilon(1e-6));
  CHECK(score.folds.size() == 5);
}

TEST_CASE("folds that a signal left out widen the interval, and one fold alone has none") {
  // s^2 = 0.02, of three of five folds: t of 2 degrees is 4.302653, the variance (1 / 3 + 1 / 4) 0.02.
  const auto score = train::score_of({0.5, 0.5 + std::sqrt(0.03), 0.5 + std::sqrt(0.03) / 2}, 5);
  const double spread = std::sqrt(0.03) / 2;  // s
  CHECK(score.high - score.mean == doctest::Approx(4.302653 * spread * std::sqrt(1 / 3.0 + 1 / 4.0)).epsilon(1e-6));
  const auto single = train::score_of({0.5}, 5);
  CHECK(single.mean == 0.5);
  CHECK(single.low == -HUGE_VAL);
  CHECK(single.high == HUGE_VAL);
}

TEST_CASE("the difference of two scores is paired by folds") {
  const auto a = train::score_of({0.9, 0.5, 0.7}, 3), b = train::score_of({0.8, 0.41, 0.59}, 3);
  const auto difference = a - b;
  CHECK(difference.mean == doctest::Approx(0.1));
  CHECK(difference.low > 0);  // the folds differ more from each other than the programs do on each
  CHECK(a.low < b.high);
  check_throws<OptionError>(
      [&] {
        a - train::score_of({0.8, 0.4}, 2);
      },
      "want two scores on the same folds; got 3 and 2");
  check_throws<OptionError>([&] { a - train::score_of({0.8, 0.4, 0.3}, 4); }, "want two scores on the same folds");
}
