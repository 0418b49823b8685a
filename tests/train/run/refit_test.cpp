#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

TrainerOptions options() {
  TrainerOptions o = quiet({.epochs = 12});
  o.lr = 1e-2;
  o.refit = true;
  return o;
}

TrainerOptions options_in(const TempDir& dir) {
  TrainerOptions o = options();
  o.checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run", .every_n_steps = 3};
  o.metrics_csv = std::filesystem::path{};
  return o;
}

struct Session {
  train::FitResult result = {};
  std::uint64_t hash = 0;
};

// A session in a fresh model; arrange() sets hooks that interrupt it.
Session session(const TrainerOptions& o, const std::function<void(Hooked&)>& arrange, const std::string& resumed = {}) {
  NormModel model(resumed.empty() ? 1 : 99);
  Hooked trainer(model, cross_entropy, o);
  arrange(trainer);
  Session s;
  try {
    s.result = resumed.empty() ? trainer.fit(points(120)) : trainer.resume(resumed, points(120));
  } catch (const std::runtime_error& error) {
    CHECK(error.what() == std::string("mine"));
  }
  s.hash = hash_of(model);
  return s;
}

}  // namespace

TEST_CASE("the second fit trains the first weights on all rows, halfway from the best epoch to the last") {
  auto model = small_model(), first = small_model(), second = small_model();
  TrainerOptions o = options();
  const auto memory = std::make_shared<train::MemorySink>();
  o.sinks = {memory};
  train::Trainer trainer(model, cross_entropy, o);
  const auto result = trainer.fit(points(120));
  REQUIRE(result.refit);
  CHECK(result.refit->kept);
  CHECK(result.refit->reason.empty());
  CHECK(result.refit->rows == 120);

  o.refit = false;
  o.sinks = {};
  train::Trainer alone(first, cross_entropy, o);
  const auto one = alone.fit(points(120));
  CHECK_FALSE(one.refit);
  CHECK(one.best->step == result.best->step);
  CHECK(one.best->value == result.best->value);
  CHECK(hash_of(first) != hash_of(model));

  o.epochs = (one.best->epoch + one.epochs + 1) / 2;
  CHECK(result.refit->epochs == o.epochs);
  o.validation_split = off;
  o.lr = one.lr;
  o.lr_scaling = train::LrScaling::none;
  o.patience = off;
  o.restore_best = false;
  train::Trainer again(second, cross_entropy, o);
  const auto two = again.fit(points(120));
  CHECK(result.refit->steps == two.steps);
  CHECK(result.refit->train_loss == two.train_loss);
  CHECK(hash_of(second) == hash_of(model));

  // The sinks are told of one fit, and of what became of the second.
  CHECK(memory->starts.size() == 1);
  CHECK(memory->results.size() == 1);
  REQUIRE(memory->refits.size() == 1);
  CHECK(memory->refits[0].steps == two.steps);
  CHECK(std::ranges::any_of(memory->starts[0].summary, [](const auto& item) { return item.name == "refit"; }));
  // The options are those of the program.
  CHECK(trainer.options().epochs == 12);
  CHECK(trainer.options().refit);
}

TEST_CASE("the second fit uses the rate that the first has found") {
  auto model = small_model();
  TrainerOptions o = options();
  o.lr = train::automatic;
  std::vector<double> rates;
  Hooked trainer(model, cross_entropy, o);
  std::vector<double> peaks{0};
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 1) peaks.push_back(0);
    peaks.back() = std::max(peaks.back(), stats.lr);
  };
  const auto result = trainer.fit(points(400));
  REQUIRE(result.refit);
  REQUIRE(peaks.size() == 3);
  CHECK(peaks[1] == doctest::Approx(result.lr).epsilon(0.01));
  CHECK(peaks[2] == doctest::Approx(result.lr).epsilon(0.01));
}

TEST_CASE("without the second fit there is its reason, and the weights of the first stay") {
  const auto run = [](TrainerOptions o, const std::function<void(Hooked&)>& arrange) {
    auto model = small_model(), alone = small_model();
    Hooked trainer(model, cross_entropy, o);
    arrange(trainer);
    const auto result = trainer.fit(points(120));
    o.refit = false;
    Hooked plain(alone, cross_entropy, o);
    arrange(plain);
    plain.fit(points(120));
    CHECK(hash_of(model) == hash_of(alone));
    REQUIRE(result.refit);
    CHECK_FALSE(result.refit->kept);
    return *result.refit;
  };
  const auto stopped = run(options(), [](Hooked& t) {
    t.step_end = [&t](const train::StepStats& s) {
      if (s.step == 7) t.stop();
    };
  });
  CHECK(stopped.reason == "the first one was stopped on request");
  CHECK(stopped.rows == 0);
  TrainerOptions o = options();
  o.overfit_batches = 1;
  CHECK(run(o, [](Hooked&) {}).reason == "overfit_batches is on");
}

TEST_CASE("a second fit that fails or is stopped leaves the weights of the first") {
  TrainerOptions o = options();
  auto alone = small_model();
  o.refit = false;
  train::Trainer plain(alone, cross_entropy, o);
  plain.fit(points(120));
  o.refit = true;

  const auto run = [&](const std::function<void(Hooked&, const train::StepStats&)>& in_second) {
    auto model = small_model();
    Hooked trainer(model, cross_entropy, o);
    int fits = 0;
    trainer.step_end = [&](const train::StepStats& stats) {
      if (stats.step == 1) ++fits;
      if (fits == 2) in_second(trainer, stats);
    };
    train::FitResult result;
    try {
      result = trainer.fit(points(120));
    } catch (const std::runtime_error& error) {
      CHECK(error.what() == std::string("mine"));
    }
    CHECK(fits == 2);
    CHECK(hash_of(model) == hash_of(alone));
    return result;
  };
  const auto stopped = run([](Hooked& t, const train::StepStats&) { t.stop(); });
  CHECK(stopped.reason == train::StopReason::requested);
  CHECK(stopped.refit->reason == "it was stopped on request");
  CHECK(stopped.refit->steps == 1);
  CHECK(stopped.best_restored);
  run([](Hooked&, const train::StepStats&) { throw std::runtime_error("mine"); });
}

TEST_CASE("refit wants held-out rows that it may train on") {
  auto model = small_model();
  TrainerOptions o = options();
  train::Trainer trainer(model, cross_entropy, o);
  check_throws<OptionError>([&] { trainer.fit(points(100), points(20, 2)); },
                            "fit: refit trains on the rows that validation_split holds out; got a validation set, "
                            "which stays one: call fit(data), or set refit = off");
  o.validation_split = off;
  train::Trainer without(model, cross_entropy, o);
  check_throws<OptionError>([&] { without.fit(points(100)); },
                            "fit: refit learns from held-out rows how long to train; got validation_split = off");
}

TEST_CASE("a run that is stopped in either fit resumes with the same bits") {
  const TempDir whole;
  const Session want = session(options_in(whole), [](Hooked&) {});
  REQUIRE(want.result.refit);
  CHECK(want.result.refit->kept);
  CHECK(std::filesystem::exists(whole.path() / "run" / "1" / "refit" / "metrics.csv"));
  for (const bool by_exception : {false, true})
    for (const int in_fit : {1, 2})
      for (const std::int64_t step : {1, 4, 11}) {
        CAPTURE(in_fit);
        CAPTURE(step);
        CAPTURE(by_exception);
        const TempDir dir;
        const Session cut = session(options_in(dir), [&, fits = std::make_shared<int>(0)](Hooked& t) {
          t.step_end = [&t, fits, in_fit, step, by_exception](const train::StepStats& s) {
            if (s.step == 1) ++*fits;
            if (*fits != in_fit || s.step != step) return;
            if (by_exception) throw std::runtime_error("mine");
            t.stop();
          };
        });
        CHECK(cut.hash != want.hash);
        int steps = 0;
        const Session got = session(
            options_in(dir), [&](Hooked& t) { t.step_end = [&](const train::StepStats&) { ++steps; }; },
            (dir.path() / "run" / "1").string());
        CHECK(got.hash == want.hash);
        REQUIRE(got.result.refit);
        CHECK(got.result.refit->kept);
        CHECK(got.result.refit->steps == want.result.refit->steps);
        CHECK(got.result.best->value == want.result.best->value);
        CHECK(dir.read("run/1/refit/metrics.csv") == whole.read("run/1/refit/metrics.csv"));
        // What was done is not done again.
        if (in_fit == 2) CHECK(steps == want.result.refit->steps - step);
      }
  // A run that is complete is resumed to the same weights.
  CHECK(session(
            options_in(whole), [](Hooked&) {}, (whole.path() / "run" / "1").string())
            .hash == want.hash);
}

TEST_CASE("a second fit begins anew when the first was extended") {
  const TempDir dir, longer;
  session(options_in(dir), [](Hooked&) {});
  TrainerOptions more = options_in(dir);
  more.epochs = 20;
  NormModel model(99);
  train::Trainer trainer(model, cross_entropy, more);
  const auto result = trainer.resume(dir.path() / "run" / "1", points(120), {.allow = {"epochs"}});
  REQUIRE(result.refit);
  CHECK(result.refit->kept);
  CHECK(result.refit->epochs == (result.best->epoch + result.epochs + 1) / 2);
}

TEST_CASE("layers that a hook has trained in the first fit are frozen again at the start of the second") {
  auto model = small_model();
  model.freeze("0");
  TrainerOptions o = options();
  Hooked trainer(model, cross_entropy, o);
  std::vector<bool> frozen;
  trainer.epoch_start = [&](Index epoch) {
    if (epoch == 1) frozen.push_back(!model.parameters()[0].tensor.requires_grad());
    if (epoch == 2) model.unfreeze();
  };
  trainer.fit(points(120));
  CHECK(frozen == std::vector<bool>{true, true});
}

TEST_CASE("bytes are normalised with the constants of all rows after a second fit") {
  const auto plane = points(120);
  std::vector<std::uint8_t> pixels, labels;
  for (Index i = 0; i < 120; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(128 + 20 * static_cast<double>(plane.inputs().at({i, 0}))));
    pixels.push_back(static_cast<std::uint8_t>(128 + 20 * static_cast<double>(plane.inputs().at({i, 1}))));
    labels.push_back(static_cast<std::uint8_t>(plane.targets().at({i})));
  }
  std::vector<Index> rows(120);
  for (Index i = 0; i < 120; ++i) rows[static_cast<std::size_t>(i)] = i;
  const train::ByteDataset data(Shape{2}, pixels, labels);
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, options());
  REQUIRE(trainer.fit(data).refit->kept);
  CHECK(trainer.model_info().normalization->mean == data.fit_normalization(rows)->mean);
}

TEST_CASE("the models of a cross-validation and of an ensemble are fitted again") {
  const TrainerOptions o = options();
  const auto folds = train::cross_validate(make_small, cross_entropy, o, points(90), {.folds = 3});
  REQUIRE(folds.folds.size() == 3);
  for (const auto& fold : folds.folds) {
    REQUIRE(fold.fit.refit);
    CHECK(fold.fit.refit->kept);
    CHECK(fold.fit.refit->rows == 60);
  }
  const auto ensemble = train::fit_ensemble(make_small, cross_entropy, o, points(90), {.members = 2});
  for (const auto& fit : ensemble.results()) CHECK(fit.refit->rows == 90);
}

TEST_CASE("a second fit follows a repair, with the layers that it has kept") {
  auto model = small_model();
  TrainerOptions o = options();
  o.lr = 2e-3;
  o.repair = 2;
  o.standardize = false;
  const auto data = points(400);
  train::Trainer trainer(model, cross_entropy, o);
  const auto result = trainer.fit(train::TensorDataset{data.inputs() * 1e-4, data.targets()});
  REQUIRE_FALSE(result.repairs.empty());
  REQUIRE(result.refit);
  CHECK(result.refit->kept);
  CHECK(model.layers()[0]->normalises());
  CHECK(trainer.evaluate(train::TensorDataset{data.inputs() * 1e-4, data.targets()}).accuracy() > 0.95);
}
