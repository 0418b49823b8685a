#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/train/guards/guard.h>

/// What the console shows of an anomaly must be short. Two lines of a terminal are at most 160 columns.
inline void check_headline(const handrail::train::Anomaly& anomaly) {
  constexpr std::size_t max_headline = 140;
  const std::string line = anomaly.headline();
  CHECK_MESSAGE(line.size() <= max_headline, line);
  CHECK_MESSAGE(line.ends_with("try: " + anomaly.remedy), line);
}

/// The name of an anomaly whose headline and cause are in order; empty for none.
inline std::string name_of(const std::optional<handrail::train::Anomaly>& anomaly) {
  if (!anomaly) return "";
  check_headline(*anomaly);
  CHECK_FALSE(anomaly->cause.empty());
  return anomaly->name;
}

/// What a guard says over a run: "step name where action factor evidence", one line an anomaly.
using Said = std::vector<std::string>;

inline void note(Said& said, const std::optional<handrail::train::Anomaly>& anomaly) {
  if (!anomaly) return;
  const handrail::train::Anomaly& a = *anomaly;
  check_headline(a);
  said.push_back(std::to_string(a.step) + " " + a.name + " " + a.where + " " + handrail::train::to_string(a.action) +
                 " " + std::to_string(anomaly->lr_factor) + " " + a.evidence + " " + a.cause + " " + a.remedy + " " +
                 a.details);
}

/// One step, as the Trainer makes it: nothing is accepted after an anomaly that forbids it, and a rollback is
/// made. Returns the gravest anomaly.
inline std::optional<handrail::train::Anomaly> make_step(handrail::train::Guard& guard,
                                                         const handrail::train::StepStats& stats) {
  using handrail::train::Action;
  auto anomaly = guard.check_loss(stats);
  if (!anomaly) anomaly = guard.check_gradients(stats);
  if (!anomaly || anomaly->action == Action::proceed) {
    auto after = guard.accepted(stats);
    if (after && (!anomaly || after->action > anomaly->action)) anomaly = std::move(after);
  }
  if (anomaly && anomaly->action == Action::rollback) guard.rolled_back();
  return anomaly;
}

/// The same for a plain loss.
inline handrail::train::StepStats loss_step(std::int64_t step, double loss) {
  handrail::train::StepStats stats{};
  stats.step = step;
  stats.samples = 32;
  stats.loss = stats.ema_loss = loss;
  stats.grad_norm = 0.5;
  stats.lr = 0.01;
  return stats;
}

/// Runs guards that `make` makes over the same steps, and at each cut goes on with a fresh one that loads the
/// state of the first: from there both must say the same. Damaged states must be refused, changing nothing.
/// Returns what was said.
inline Said check_resume(const std::function<std::unique_ptr<handrail::train::Guard>()>& make,
                         const std::vector<handrail::train::StepStats>& steps, const std::vector<std::size_t>& cuts) {
  const auto whole = make();
  struct Other {
    std::unique_ptr<handrail::train::Guard> guard;
    Said said;
    std::size_t from;
  };
  std::vector<Other> others;
  Said said;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (std::ranges::count(cuts, i) > 0) {
      const std::vector<double> state = handrail::train::save_state(*whole);
      others.push_back({make(), {}, said.size()});
      handrail::train::Guard& other = *others.back().guard;
      std::vector<double> damaged = state;
      damaged.push_back(0);
      const std::vector<double> fresh = handrail::train::save_state(other);
      CHECK_FALSE(handrail::train::load_state(other, damaged));
      CHECK_FALSE(handrail::train::load_state(other, std::span(state).first(state.size() - 1)));
      CHECK_FALSE(handrail::train::load_state(other, {}));
      for (std::size_t place = 0; place < state.size(); ++place) {
        damaged = state;
        damaged[place] = std::numeric_limits<double>::quiet_NaN();
        CHECK_FALSE(handrail::train::load_state(other, damaged));
      }
      CHECK(handrail::train::save_state(other) == fresh);
      CHECK(handrail::train::load_state(other, state));
      CHECK(handrail::train::save_state(other) == state);
    }
    note(said, make_step(*whole, steps[i]));
    for (Other& other : others) note(other.said, make_step(*other.guard, steps[i]));
  }
  CHECK(others.size() == cuts.size());
  for (const Other& other : others) {
    CHECK(other.said == Said(said.begin() + static_cast<std::ptrdiff_t>(other.from), said.end()));
    CHECK(handrail::train::save_state(*other.guard) == handrail::train::save_state(*whole));
  }
  return said;
}
