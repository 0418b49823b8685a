#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include <handrail/train/guards/early_stopping.h>
#include <handrail/train/option/off.h>

using namespace handrail;
using train::EarlyStopping;
using train::Improvement;
using train::MonitorMode;

namespace {

constexpr double nan_loss = std::numeric_limits<double>::quiet_NaN();

// Group losses around a mean, spread evenly by +- noise.
std::vector<double> groups(double mean, double noise, bool shifted = false) {
  std::vector<double> losses;
  for (int j = 0; j < 30; ++j) losses.push_back(mean + ((j % 2 == 0) != shifted ? noise : -noise));
  return losses;
}

}  // namespace

TEST_CASE("the patience is counted in evaluations without improvement") {
  EarlyStopping stopping(MonitorMode::min, Improvement::plain, 3);
  CHECK(stopping.add(1.0, {}));
  CHECK(stopping.add(0.5, {}));
  for (int i = 0; i < 2; ++i) CHECK_FALSE(stopping.add(0.6, {}));
  CHECK_FALSE(stopping.stop());
  CHECK_FALSE(stopping.add(0.5, {}));  // as good is not better
  CHECK(stopping.stop());
  CHECK(stopping.waited() == 3);
}

TEST_CASE("any improvement resets the patience, and the best is kept") {
  EarlyStopping stopping(MonitorMode::min, Improvement::plain, 2);
  double value = 1;
  for (int i = 0; i < 20; ++i) {
    CHECK(stopping.add(value, {}));
    value -= 1e-6;
    CHECK_FALSE(stopping.add(2.0, {}));
  }
  CHECK_FALSE(stopping.stop());
}

TEST_CASE("mode max looks for the highest value") {
  EarlyStopping stopping(MonitorMode::max, Improvement::significant, 1);
  CHECK(stopping.add(0.5, {}));
  CHECK(stopping.add(0.6, {}));
  CHECK_FALSE(stopping.add(0.55, {}));
  CHECK(stopping.stop());
}

TEST_CASE("of equal values the one with the lowest loss is the best, and resets the patience") {
  EarlyStopping stopping(MonitorMode::max, Improvement::significant, 2);
  CHECK(stopping.add(0.9, {}, 0.5));
  CHECK(stopping.add(0.9, {}, 0.4));
  CHECK(stopping.waited() == 0);
  CHECK_FALSE(stopping.add(0.9, {}, 0.4));
  CHECK_FALSE(stopping.add(0.8, {}, 0.1));  // the value comes first
  CHECK(stopping.stop());
  CHECK(stopping.add(0.95, {}, 0.9));
  CHECK_FALSE(stopping.add(0.95, {}));  // no loss decides
  constexpr double infinite = std::numeric_limits<double>::infinity();
  CHECK_FALSE(stopping.add(0.95, {}, infinite));
  // Only a finite value counts, whatever the loss.
  CHECK_FALSE(stopping.add(infinite, {}, 0.1));
  EarlyStopping resumed(MonitorMode::max, Improvement::significant, 2);
  REQUIRE(train::load_state(resumed, train::save_state(stopping)));
  CHECK_FALSE(resumed.add(0.95, {}, 0.9));
  CHECK(resumed.add(0.95, {}, 0.8));
}

TEST_CASE("without patience it never stops") {
  EarlyStopping stopping(MonitorMode::min, Improvement::plain, off);
  for (int i = 0; i < 1000; ++i) stopping.add(i, {});
  CHECK_FALSE(stopping.stop());
}

TEST_CASE("an improvement that is not significant is the best, but does not reset the patience") {
  EarlyStopping stopping(MonitorMode::min, Improvement::significant, 2);
  stopping.add(1.0, groups(1.0, 0.5));
  // Lower by 0.01, but groups differ by 1 in either direction.
  CHECK(stopping.add(0.99, groups(0.99, 0.5, true)));
  CHECK(stopping.waited() == 1);
  // The same mean, each group by as much: that is no noise.
  EarlyStopping paired(MonitorMode::min, Improvement::significant, 2);
  paired.add(1.0, groups(1.0, 0.5));
  CHECK(paired.add(0.99, groups(0.99, 0.5)));
  CHECK(paired.waited() == 0);
}

TEST_CASE("small improvements that add up are significant against the last significant best") {
  EarlyStopping stopping(MonitorMode::min, Improvement::significant, 5);
  stopping.add(1.0, groups(1.0, 0.1));
  bool reset = false;
  for (int i = 1; i <= 10; ++i) {
    stopping.add(1.0 - 0.01 * i, groups(1.0 - 0.01 * i, 0.1, true));
    reset = reset || (i > 1 && stopping.waited() == 0);
  }
  CHECK(reset);
  CHECK_FALSE(stopping.stop());
}

TEST_CASE("the paired test is one-sided at 95 %") {
  // mean(d) = 0.1, sd = 1: significant from sqrt(n) 0.1 > 1.645 on, n > 270.
  const auto significant = [](std::size_t n) {
    std::vector<double> reference(n), now(n);
    for (std::size_t j = 0; j < n; ++j) now[j] = j % 2 == 0 ? 0.9 : -1.1;
    return train::improved_significantly(reference, now);
  };
  CHECK_FALSE(significant(260));
  CHECK(significant(280));
  CHECK_FALSE(train::improved_significantly(groups(1, 0), groups(1, 0)));
  CHECK(train::improved_significantly(groups(1, 0), groups(0.999, 0)));
}

TEST_CASE("while the rate falls, only evaluations that are worse than the lowest count, and as low a one is the best") {
  EarlyStopping stopping(MonitorMode::min, Improvement::significant, 2, true);
  CHECK(stopping.add(1.0, groups(1.0, 0.5)));
  // The standard error of groups that differ by 1 in either direction is 0.19.
  const auto add = [&](double value) { return stopping.add(value, groups(value, 0.5, true)); };
  for (int i = 0; i < 5; ++i) CHECK(add(1.08));  // as good, and later
  for (int i = 0; i < 5; ++i) CHECK_FALSE(add(1.1));
  CHECK(stopping.waited() == 0);
  CHECK_FALSE(add(1.3));
  CHECK(stopping.waited() == 1);
  CHECK(add(1.08));
  CHECK(stopping.waited() == 0);  // in a row
  CHECK(add(0.99));
  for (int i = 0; i < 2; ++i) CHECK_FALSE(stopping.add(1.2, groups(1.2, 0.5)));
  CHECK(stopping.stop());
  // What is as good is told from the lowest evaluation, not from the last one that was as good: losses cannot creep up.
  EarlyStopping creeping(MonitorMode::min, Improvement::significant, 2, true);
  CHECK(creeping.add(1.0, groups(1.0, 0.5)));
  CHECK(creeping.add(1.08, groups(1.08, 0.5, true)));
  CHECK_FALSE(creeping.add(1.16, groups(1.16, 0.5, true)));
  // A loss that stays exactly the same is no noise.
  EarlyStopping stuck(MonitorMode::min, Improvement::significant, 2, true);
  for (int i = 0; i < 3; ++i) stuck.add(1.0, groups(1.0, 0.5));
  CHECK(stuck.stop());
  // The plain rule knows no noise, and other values have no groups.
  EarlyStopping plain(MonitorMode::min, Improvement::plain, 2, true),
      accuracy(MonitorMode::max, Improvement::significant, 2, true);
  plain.add(1.0, groups(1.0, 0.5));
  accuracy.add(0.9, {});
  for (int i = 0; i < 2; ++i) {
    CHECK_FALSE(plain.add(1.01, groups(1.01, 0.5, true)));
    accuracy.add(0.9, {});
  }
  CHECK(plain.stop());
  CHECK(accuracy.stop());
}

TEST_CASE("with few samples any improvement counts, because a test would miss real ones") {
  const std::vector<double> reference(29, 1.0);
  std::vector<double> now(29, 1.0);
  now[0] = 0.5;
  CHECK(train::improved_significantly(reference, now));
  CHECK_FALSE(train::improved_significantly(now, reference));
  CHECK_FALSE(train::improved_significantly(std::vector<double>(30, 1.0), [&] {
    now.push_back(1);
    return now;
  }()));
  CHECK(train::improved_significantly(std::vector{1.0}, std::vector{0.9}));
}

TEST_CASE("a value that is not finite is never the best, and counts for the patience") {
  EarlyStopping stopping(MonitorMode::min, Improvement::significant, 3);
  CHECK_FALSE(stopping.add(nan_loss, groups(nan_loss, 0)));
  CHECK_FALSE(stopping.add(-std::numeric_limits<double>::infinity(), {}));
  CHECK(stopping.add(1.0, groups(1.0, 0.1)));
  CHECK(stopping.waited() == 0);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(stopping.add(nan_loss, {}));
  CHECK(stopping.stop());
}

TEST_CASE("its state continues where it was, and a state it did not write is refused") {
  const auto feed = [](EarlyStopping& stopping, int from, int to) {
    for (int i = from; i < to; ++i) stopping.add(1.0 / (1 + i % 7), groups(1.0 / (1 + i % 7), 0.3, i % 3 == 0), i % 5);
  };
  EarlyStopping whole(MonitorMode::min, Improvement::significant, 100), first = whole, second = whole;
  feed(whole, 0, 40);
  feed(first, 0, 17);
  REQUIRE(train::load_state(second, train::save_state(first)));
  feed(second, 17, 40);
  CHECK(train::save_state(second) == train::save_state(whole));
  CHECK(second.waited() == whole.waited());

  EarlyStopping fresh(MonitorMode::min, Improvement::plain, 10);
  REQUIRE(train::load_state(whole, train::save_state(fresh)));  // the state of before any evaluation
  CHECK(train::save_state(whole) == train::save_state(fresh));
  const auto before = train::save_state(first);
  for (const std::vector<double>& wrong : {std::vector<double>{},
                                           {1, 2},
                                           {-1},
                                           {0.5},
                                           {nan_loss},
                                           {1, nan_loss, 2},
                                           {1, 2, nan_loss},
                                           {1, 2, 3},
                                           {1, 2, 3, 4}})
    CHECK_FALSE(train::load_state(first, wrong));
  CHECK(train::save_state(first) == before);
}
