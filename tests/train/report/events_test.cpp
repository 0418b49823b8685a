#include <limits>

#include <doctest/doctest.h>

#include <handrail/train/report/events.h>

using handrail::train::RepairAttempt;

TEST_CASE("what came of a repair is told in plain words") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const auto outcome = [](double before, double after, bool kept = false) {
    return RepairAttempt{.fix = "", .anomaly = "", .before = before, .done = true, .after = after, .kept = kept}
        .outcome();
  };
  CHECK(outcome(0.5, 0.1, true) == "kept");
  CHECK(outcome(0.5, 0.49) == "not kept: the lower loss may be chance");
  CHECK(outcome(inf, 0.49) == "not kept: the lower loss may be chance");
  CHECK(outcome(0.5, 0.5) == "not kept: the loss is not lower");
  CHECK(outcome(0.5, inf) == "not kept: the loss is not lower");
  CHECK(RepairAttempt{.fix = "", .anomaly = "", .problem = "no rows"}.outcome() == "not measured: no rows");
}
