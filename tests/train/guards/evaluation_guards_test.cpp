#include <doctest/doctest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/train/guards/evaluation_guards.h>

#include "support/guard_runs.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

EpochStats epoch(Index number, double loss, std::optional<double> accuracy = {}) {
  EpochStats stats{
      .epoch = number, .step = 10 * number, .lr = 0.01, .train_loss = loss, .validation = {}, .seconds = 1};
  stats.validation = Evaluation{.loss = loss, .measured_accuracy = accuracy, .samples = 100};
  return stats;
}

using Names = std::vector<std::string>;

// Names, a '?' before those that are notes.
template <class MakeEpoch>
Names over(Guard& guard, Index epochs, MakeEpoch make) {
  Names names;
  for (Index e = 1; e <= epochs; ++e)
    if (const auto found = guard.epoch_end(make(e))) {
      check_headline(*found);
      CHECK_FALSE(found->cause.empty());
      names.push_back((found->severity == Severity::note ? "?" : "") + found->name);
    }
  return names;
}

Names swings(const std::vector<double>& losses) {
  OscillationGuard guard;
  Names names;
  for (std::size_t i = 0; i < losses.size(); ++i)
    if (const auto found = make_step(guard, loss_step(static_cast<std::int64_t>(i) + 1, losses[i]))) {
      check_headline(*found);
      names.push_back(found->name);
    }
  return names;
}

}  // namespace

TEST_CASE("a monitored value with the wrong mode is named while the validation loss falls") {
  const auto learns = [](Index e) { return epoch(e, 1 / static_cast<double>(e), 1 - 0.5 / static_cast<double>(e)); };
  MonitorGuard wrong("val_accuracy", false), right("val_accuracy", true), loss("val_loss", false);
  CHECK(over(wrong, 20, learns) == Names{"monitor_mode"});
  CHECK(over(right, 20, learns) == Names{});
  CHECK(over(loss, 20, learns) == Names{});
  // Overfitting: the accuracy rises a little while the loss rises too.
  MonitorGuard overfits("val_accuracy", true);
  CHECK(over(overfits, 30, [](Index e) {
          const auto i = static_cast<double>(e);
          return epoch(e, e < 6 ? 1 / i : 0.2 + 0.01 * i, 1 - 0.5 / i);
        }) == Names{});
}

TEST_CASE("a monitored value that never changes is named unless it is the best possible one") {
  const auto constant = [](double value) {
    return [value](Index e) {
      EpochStats stats = epoch(e, 1 / static_cast<double>(e), 1 - 0.5 / static_cast<double>(e));
      stats.validation->metrics.push_back({"score", value});
      return stats;
    };
  };
  MonitorGuard half("val_score", true), perfect("val_score", true), none("val_score", false);
  CHECK(over(half, 20, constant(0.5)) == Names{"monitor_constant"});
  CHECK(over(perfect, 20, constant(1)) == Names{});
  CHECK(over(none, 20, constant(0)) == Names{"monitor_constant"});
  MonitorGuard majority("val_accuracy", true);  // the model still predicts the most frequent class
  CHECK(over(majority, 20, [](Index e) { return epoch(e, 1 / static_cast<double>(e), 0.9); }) == Names{});
  MonitorGuard late("val_accuracy", true);  // it has come to what the model can
  CHECK(over(late, 20, [](Index e) {
          return epoch(e, 1 / static_cast<double>(e), e < 5 ? 0.1 * static_cast<double>(e) : 0.5);
        }) == Names{});
}

TEST_CASE("a validation loss of the other sign than the training loss is named, a loss that falls below 0 is not") {
  MonitorGuard opposite("val_loss", false), falls("val_loss", false);
  CHECK(over(opposite, 20, [](Index e) {
          EpochStats stats = epoch(e, 1 / static_cast<double>(e));
          stats.validation->loss = -stats.train_loss;
          return stats;
        }) == Names{"loss_sign"});
  CHECK(over(falls, 20, [](Index e) {
          EpochStats stats = epoch(e, 5 - static_cast<double>(e));
          stats.validation->loss -= 0.3;
          return stats;
        }) == Names{});
}

TEST_CASE("a run that ends while the loss falls is too short, one whose loss has settled is not") {
  const auto falls = [](double rate) {
    return [rate](Index e) { return epoch(e, std::exp(-rate * static_cast<double>(e))); };
  };
  ShortRunGuard fast(10), slow(10), slower(10), settled(10), two(2), noisy(10);
  CHECK(over(fast, 10, falls(0.15)) == Names{"still_improving"});
  CHECK(over(slow, 10, falls(0.08)) == Names{"?still_improving"});
  CHECK(over(slower, 10, falls(0.03)) == Names{});
  CHECK(over(settled, 10, falls(2)) == Names{});  // it falls, but of the first loss nothing is left
  CHECK(over(two, 2, falls(0.5)) == Names{"still_improving"});
  CHECK(over(noisy, 10, [](Index e) { return epoch(e, e % 2 == 0 ? 1 : 0.9); }) == Names{});
}

TEST_CASE("a loss that swings at every step is named, noise and a swing that dies out are not") {
  std::vector<double> swing, noise, dies;
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) {
    swing.push_back(1 + (i % 2 == 0 ? 0.5 : -0.5) * (1 + 0.1 * rng.normal()));
    noise.push_back(1 + 0.5 * rng.normal());
    dies.push_back(std::exp(-0.01 * i) * (i % 2 == 0 ? 1.5 : 0.5));
  }
  CHECK(swings(swing) == Names{"oscillation"});
  CHECK(swings(noise) == Names{});
  CHECK(swings(dies) == Names{});
}

TEST_CASE("the guards of the end of an epoch keep their state") {
  MonitorGuard guard("val_accuracy", false), other("val_accuracy", false);
  for (Index e = 1; e <= 3; ++e) guard.epoch_end(epoch(e, 1 / static_cast<double>(e), 0.1 * static_cast<double>(e)));
  CHECK(load_state(other, save_state(guard)));
  Names names;
  for (Index e = 4; e <= 6; ++e)
    if (const auto found = other.epoch_end(epoch(e, 1 / static_cast<double>(e), 0.1 * static_cast<double>(e))))
      names.push_back(found->name);
  CHECK(names == Names{"monitor_mode"});
  CHECK_FALSE(load_state(other, std::vector<double>{1, 2}));
}
