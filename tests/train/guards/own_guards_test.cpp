#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::Action;
using train::Anomaly;
using train::StopReason;

namespace {

// What a guard was asked, in order; and what it answers when its question comes at that step.
struct Script {
  std::vector<std::string> asked;
  std::string question;
  std::int64_t step = 0;
  Action action = Action::proceed;
  double lr_factor = 0.5;
  int rollbacks = 0;
};

class Scripted : public train::Guard {
 public:
  explicit Scripted(Script& script, const char* name = "scripted") : script_(script), name_(name) {}

  const char* name() const override { return name_; }
  std::optional<Anomaly> check_loss(const train::StepStats& s) override { return ask("loss", s.step); }
  std::optional<Anomaly> check_gradients(const train::StepStats& s) override { return ask("gradients", s.step); }
  std::optional<Anomaly> update_refused(const train::StepStats& s, const NonFiniteError& error) override {
    CHECK_FALSE(error.where.empty());
    return ask("refused", s.step);
  }
  std::optional<Anomaly> accepted(const train::StepStats& s) override { return ask("accepted", s.step); }
  std::optional<Anomaly> layers_measured(const train::LayerReport& r) override { return ask("layers", r.step); }
  std::optional<Anomaly> epoch_end(const train::EpochStats& s) override { return ask("epoch", s.step); }
  void rolled_back() override { ++script_.rollbacks; }
  void visit_state(train::StateVisitor& state) override { state.count(asked_); }

 private:
  std::optional<Anomaly> ask(const std::string& question, std::int64_t step) {
    ++asked_;
    script_.asked.push_back(question + " " + std::to_string(step) + " (" + std::to_string(asked_) + ")");
    if (question != script_.question || step != script_.step) return std::nullopt;
    return Anomaly{.name = "own",
                   .step = step,
                   .evidence = "as the script says",
                   .cause = "the script",
                   .remedy = "none",
                   .action = script_.action,
                   .rank = train::Rank::symptom,
                   .lr_factor = script_.lr_factor};
  }

  Script& script_;
  const char* name_;
  std::int64_t asked_ = 0;
};

struct WithGuards : Hooked {
  using Hooked::Hooked;
  std::vector<std::unique_ptr<train::Guard>> configure_guards() override {
    std::vector<std::unique_ptr<train::Guard>> all;
    for (const char* name : names) all.push_back(name ? std::make_unique<Scripted>(script, name) : nullptr);
    return all;
  }
  Script script;
  std::vector<const char*> names{"scripted"};
};

}  // namespace

TEST_CASE("a guard of one's own is asked about each part of a step, and at the end of an epoch") {
  auto model = small_model();
  WithGuards trainer(model, cross_entropy, quiet({.epochs = 1, .lr = 0.01, .log_every_n_steps = 2}));
  trainer.fit(points(80));
  CHECK(trainer.script.asked == std::vector<std::string>{"loss 1 (1)", "gradients 1 (2)", "accepted 1 (3)",
                                                         "loss 2 (4)", "gradients 2 (5)", "accepted 2 (6)",
                                                         "layers 2 (7)", "loss 3 (8)", "gradients 3 (9)",
                                                         "accepted 3 (10)", "epoch 3 (11)"});
}

TEST_CASE("what a guard of one's own asks for is done") {
  auto model = small_model();
  WithGuards trainer(model, cross_entropy, quiet({.epochs = 3, .lr = 0.01}));
  const auto data = points(320);
  SUBCASE("stop") {
    trainer.script.question = "accepted";
    trainer.script.step = 7;
    trainer.script.action = Action::stop;
    const auto result = trainer.fit(data);
    CHECK(result.reason == StopReason::guard);
    CHECK(result.steps == 7);
    REQUIRE(find_anomaly(result, "own"));
  }
  SUBCASE("skip") {
    trainer.script.question = "gradients";
    trainer.script.step = 7;
    trainer.script.action = Action::skip;
    trainer.step_end = [&](const train::StepStats& stats) {
      if (!stats.updated) trainer.script.step = 0;  // once
    };
    const auto result = trainer.fit(data);
    CHECK(result.reason == StopReason::finished);
    CHECK(result.skipped == 1);
  }
  SUBCASE("rollback, at the rate that it says") {
    trainer.script.question = "accepted";
    trainer.script.step = 12;
    trainer.script.action = Action::rollback;
    trainer.script.lr_factor = 0.25;
    std::vector<double> rates;
    trainer.step_end = [&](const train::StepStats& stats) { rates.push_back(stats.lr); };
    auto plain_model = small_model();
    Hooked plain(plain_model, cross_entropy, quiet({.epochs = 3, .lr = 0.01}));
    std::vector<double> plain_rates;
    plain.step_end = [&](const train::StepStats& stats) { plain_rates.push_back(stats.lr); };
    const auto result = trainer.fit(data);
    plain.fit(data);
    CHECK(result.rollbacks == 1);
    CHECK(trainer.script.rollbacks == 1);
    REQUIRE(rates.size() > 13);
    CHECK(rates[11] == plain_rates[11]);
    CHECK(rates[12] == doctest::Approx(0.25 * plain_rates[12]));
  }
  SUBCASE("rollback without a lower rate, when the rate is not to blame") {
    trainer.script.question = "accepted";
    trainer.script.step = 12;
    trainer.script.action = Action::rollback;
    trainer.script.lr_factor = 1;
    std::vector<double> rates;
    trainer.step_end = [&](const train::StepStats& stats) { rates.push_back(stats.lr); };
    auto plain_model = small_model();
    Hooked plain(plain_model, cross_entropy, quiet({.epochs = 3, .lr = 0.01}));
    std::vector<double> plain_rates;
    plain.step_end = [&](const train::StepStats& stats) { plain_rates.push_back(stats.lr); };
    const auto result = trainer.fit(data);
    plain.fit(data);
    CHECK(result.rollbacks == 1);
    CHECK(rates == plain_rates);
    const auto own = find_anomaly(result, "own");
    REQUIRE(own);
    CHECK(contains(own->headline(), "; rolled back; try: "));
    CHECK(contains(own->text(), "; the run returns to the last good state; try: "));
  }
}

TEST_CASE("the state of a guard of one's own is restored when a run is resumed") {
  const TempDir folder;
  auto options = quiet({.epochs = 2, .lr = 0.01});
  options.checkpoints = train::CheckpointOptions{.dir = folder.path()};
  const auto data = points(160);
  auto model = small_model();
  WithGuards trainer(model, cross_entropy, options);
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 3) trainer.stop();
  };
  const auto result = trainer.fit(data);
  auto again = small_model();
  WithGuards other(again, cross_entropy, options);
  other.resume(result.run_dir, data);
  REQUIRE_FALSE(other.script.asked.empty());
  CHECK(other.script.asked.front() == "loss 4 (10)");

  WithGuards without(again, cross_entropy, options);
  without.names = {"another"};
  check_throws<CheckpointError>([&] { without.resume(result.run_dir, data); }, "want the state of 'another'");
}

TEST_CASE("guards of one's own need names that nothing else has") {
  auto model = small_model();
  WithGuards trainer(model, cross_entropy, quiet({.epochs = 1, .lr = 0.01}));
  const auto data = points(80);
  trainer.names = {"loss"};
  check_throws<OptionError>([&] { trainer.fit(data); }, "want a name that no other guard or state has; got 'loss'");
  trainer.names = {"position"};
  check_throws<OptionError>([&] { trainer.fit(data); }, "got 'position'");
  trainer.names = {"one", "one"};
  check_throws<OptionError>([&] { trainer.fit(data); }, "got 'one'");
  trainer.names = {nullptr};
  check_throws<OptionError>([&] { trainer.fit(data); }, "want guards; got null");
}
