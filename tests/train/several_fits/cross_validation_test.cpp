#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/check_throws.h"
#include "support/counting.h"
#include "support/files.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

static_assert(std::convertible_to<nn::Sequential (*)(Rng&), train::ModelMaker>);
static_assert(std::convertible_to<NormModel (&)(Rng&, const train::Dataset&), train::ModelMaker>);

std::vector<double> losses(const train::CrossValidation& result) { return result.loss().folds; }

// The numbers of the rows, which are the first column.
std::vector<Index> ids(const train::Dataset& data) {
  const Tensor inputs = data.inputs();
  std::vector<Index> numbers;
  for (Index i = 0; i < data.size(); ++i) numbers.push_back(static_cast<Index>(inputs.at({i, 0})));
  return numbers;
}

}  // namespace

TEST_CASE("cross-validation measures each fold with a model that was trained on the others") {
  const auto data = points(300);
  const auto result = train::cross_validate(make_small, cross_entropy, quiet({.epochs = 10, .lr = 0.02}), data);
  REQUIRE(result.folds.size() == 5);
  for (const train::Fold& fold : result.folds) {
    CHECK(fold.test.samples == 60);
    REQUIRE(fold.fit.validation);
    CHECK(fold.fit.validation->samples == 24);  // a tenth of the other rows, as Trainer::fit splits it off
    CHECK(fold.fit.epochs == 10);
  }
  const auto accuracy = result.accuracy();
  CHECK(accuracy.mean > 0.93);
  CHECK(accuracy.low < accuracy.mean);
  CHECK(accuracy.folds[3] == result.folds[3].test.accuracy());
  CHECK(result.exit_status() == 0);
  CHECK(contains(result.text(), "5 folds, mean and 95 % interval\nloss      0."));
  CHECK(contains(result.text(), "\naccuracy  0.9"));
  check_throws<MetricError>([&] { result.metric("f1"); }, "f1");
}

TEST_CASE("the model of a fold never sees its rows, and every row is in one fold, by class") {
  const Tensor inputs({90, 1}), targets(Shape{90});
  for (Index i = 0; i < 90; ++i) {
    inputs.mutable_data()[i] = static_cast<Scalar>(i);
    targets.mutable_data()[i] = i % 9 == 0 ? 1 : 0;
  }
  const train::TensorDataset data(inputs, targets);
  std::vector<std::vector<Index>> trained;
  const auto make = [&](Rng& rng, const train::Dataset& rows) {
    trained.push_back(ids(rows));
    return nn::Sequential{nn::Standardize::fit(rows), nn::Linear{1, 2, rng}};
  };
  train::cross_validate(make, cross_entropy, bare({.epochs = 1, .lr = 0.1}), data, {.folds = 5});
  REQUIRE(trained.size() == 5);
  std::vector<Index> held_out;
  for (const auto& rows : trained) {
    CHECK(rows.size() == 72);
    CHECK(std::ranges::count_if(rows, [](Index row) { return row % 9 == 0; }) == 8);
    for (Index row = 0; row < 90; ++row)
      if (!std::ranges::binary_search(rows, row)) held_out.push_back(row);
  }
  std::ranges::sort(held_out);
  CHECK(held_out == range(90));
}

TEST_CASE("a cross-validation is a function of its seed, and a fold can be trained alone") {
  const auto data = points(120);
  TrainerOptions options = bare({.epochs = 3, .lr = 0.02});
  const auto first = train::cross_validate(make_small, cross_entropy, options, data, {.folds = 3});
  CHECK(losses(train::cross_validate(make_small, cross_entropy, options, data, {.folds = 3})) == losses(first));

  const auto fold = train::stratified_folds(train::Rows(data), 3, options.seed)[1];
  std::vector<Index> rest;
  for (Index row = 0; row < 120; ++row)
    if (!std::ranges::binary_search(fold.numbers(), row)) rest.push_back(row);
  const auto shared = std::make_shared<train::TensorDataset>(data);
  TrainerOptions alone = options;
  alone.seed = train::derived_seed(options.seed, 1);
  Rng rng(alone.seed);
  auto model = make_small(rng);
  train::Trainer trainer{model, cross_entropy, alone};
  trainer.fit(train::Subset(shared, rest));
  const auto numbers = fold.numbers();
  CHECK(trainer.evaluate(train::Subset(shared, {numbers.begin(), numbers.end()})).loss == losses(first)[1]);

  options.seed = 43;
  CHECK(losses(train::cross_validate(make_small, cross_entropy, options, data, {.folds = 3})) != losses(first));
}

TEST_CASE("derived seeds of numbers and of neighbouring seeds all differ") {
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    for (Index number = 0; number < 20; ++number) seeds.push_back(train::derived_seed(seed, number));
  CHECK(train::derived_seed(3, 4) == train::derived_seed(3, 4));
  std::ranges::sort(seeds);
  CHECK(std::ranges::adjacent_find(seeds) == seeds.end());
}

TEST_CASE("a cross-validation of a regression has a loss and metrics, and no accuracy") {
  Rng rng(5);
  const Tensor inputs = normal({100, 3}, 0, 1, rng);
  const train::TensorDataset data(inputs, sum(inputs, 1, true));
  const auto make = [](Rng& random) { return nn::Sequential{nn::Linear{3, 1, random}}; };
  const auto result = train::cross_validate(make, mse_loss, bare({.epochs = 30, .lr = 0.1, .metrics = {train::R2{}}}),
                                            data, {.folds = 4});
  CHECK(result.metric("r2").mean > 0.9);
  CHECK(result.metric("r2").folds.size() == 4);
  CHECK(contains(result.text(), "\nr2    0.9"));
  CHECK_FALSE(contains(result.text(), "accuracy"));
  check_throws<MetricError>([&] { result.accuracy(); }, "accuracy");
}

TEST_CASE("folds write no files, and their sinks get one event for each and activities") {
  struct Counting : train::MemorySink {
    void activity(const train::Activity& event) override {
      CHECK(std::string(event.what) == "training the folds");
      done.push_back(event.done);
      CHECK(event.total == 6);
    }
    std::vector<Index> done;
  };
  const TempDir dir;
  const auto sink = std::make_shared<Counting>();
  TrainerOptions options{.epochs = 2, .lr = 0.02, .checkpoints = train::CheckpointOptions{.dir = dir.path() / "runs"}};
  options.metrics_csv = dir.path() / "metrics.csv";
  options.sinks = {sink};
  const auto result = train::cross_validate(make_small, cross_entropy, options, points(90), {.folds = 3});
  CHECK(std::filesystem::is_empty(dir.path()));
  CHECK(sink->starts.empty());
  CHECK(sink->steps.empty());
  CHECK(sink->results.empty());
  CHECK(sink->done == std::vector<Index>{1, 2, 3, 4, 5, 6});
  REQUIRE(sink->parts.size() == 3);
  const train::PartEnd& last = sink->parts[2];
  CHECK(std::string(last.kind) == "fold");
  CHECK(last.number == 3);
  CHECK(last.count == 3);
  CHECK(last.fit.epochs == 2);
  REQUIRE(last.test);
  CHECK(last.test->loss == result.folds[2].test.loss);
}

TEST_CASE("warnings of folds are in one diagnosis, which says in which fold each came first") {
  // Inputs of a scale that no model should get as they are.
  const auto raw = points(200);
  const train::TensorDataset data(raw.inputs() * 1e4, raw.targets());
  const auto result =
      train::cross_validate(make_small, cross_entropy, quiet({.epochs = 2, .standardize = off}), data, {.folds = 3});
  const std::string text = result.diagnosis_text();
  const auto at = text.find("input_scale: fold 1");
  CHECK(at != std::string::npos);
  CHECK(text.find("input_scale: fold", at + 1) == std::string::npos);
  CHECK(contains(text, "(reported 3 times)"));
  CHECK(contains(result.text(), "3 folds with warnings: CrossValidation::diagnosis_text()"));
}

TEST_CASE("a signal ends a cross-validation, whose result has the folds that are complete") {
  const auto data = points(200);
  const auto interrupted = [&](int at_fit, bool in_fit) {
    int fits = 0;
    const auto make = [&](Rng& rng) {
      if (++fits == at_fit && !in_fit) std::raise(SIGINT);
      return make_small(rng);
    };
    const auto loss = [&](const Tensor& y, const Tensor& t) {
      if (fits == at_fit && in_fit && std::exchange(fits, fits + 100) == at_fit) std::raise(SIGINT);
      return cross_entropy(y, t);
    };
    return train::cross_validate(make, train::Loss(loss, train::Task::multiclass), bare({.epochs = 3, .lr = 0.02}),
                                 data);
  };
  for (const bool in_fit : {false, true}) {
    const auto result = interrupted(3, in_fit);
    CHECK(result.folds.size() == 2);
    CHECK(result.planned_folds == 5);
    CHECK(result.signal == SIGINT);
    CHECK(result.exit_status() == 128 + SIGINT);
    CHECK(result.loss().folds.size() == 2);
    CHECK(contains(result.text(), "2 folds of 5"));
  }
  const auto none = interrupted(1, true);
  CHECK(none.folds.empty());
  CHECK(none.text().empty());
  CHECK(none.diagnosis_text().empty());
  check_throws<MetricError>([&] { none.loss(); }, "want a complete fold; got none");
}

TEST_CASE("a cross-validation refuses too few folds, too few rows and wrong options before it makes a model") {
  const auto never = [](Rng& rng) {
    FAIL_CHECK("a model is made");
    return make_small(rng);
  };
  const auto data = points(20);
  const auto with = [&](Index folds, TrainerOptions options) {
    train::cross_validate(never, cross_entropy, options, data, {.folds = folds});
  };
  check_throws<OptionError>([&] { with(1, quiet({.epochs = 1})); }, "want at least 2 folds; got 1");
  check_throws<DataError>([&] { with(21, quiet({.epochs = 1})); }, "each of the 21 folds; got 20 rows");
  check_throws<OptionError>([&] { with(5, quiet({.epochs = 0})); }, "epochs");
}
