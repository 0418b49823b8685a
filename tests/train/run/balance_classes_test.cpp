#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <handrail/train/checks/internal/label_checks.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::Loss;
using train::off;
using train::Task;
using train::TrainerOptions;
namespace fixes = handrail::train::fixes;

namespace {

const Scalar log3 = std::log(Scalar(3));

// The loss and its gradient.
struct Weighted {
  double loss;
  std::vector<double> gradient;
};
Weighted weighted(const Loss& loss, const Tensor& logits, const Tensor& targets, const std::vector<double>& weights) {
  const Tensor leaf = logits.clone();
  leaf.set_requires_grad(true);
  Tape tape(Mode::train);
  const Tensor value = loss.weighted(leaf, targets, weights);
  tape.backward(value);
  Weighted result{static_cast<double>(value.item()), {}};
  for (const Scalar g : leaf.grad().span()) result.gradient.push_back(static_cast<double>(g));
  return result;
}

void check_gradient(const Weighted& got, const std::vector<double>& wanted) {
  REQUIRE(got.gradient.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(got.gradient[i] == doctest::Approx(wanted[i]).epsilon(1e-5));
}

// Two classes that overlap, of which class 1 has one row in thirty.
train::TensorDataset rare(Index count, std::uint64_t seed = 1) {
  Rng rng(seed);
  const Tensor inputs = normal({count, 2}, 0, 1, rng), targets = Tensor::zeros(Shape{count});
  for (Index i = 0; i < count; i += 30) {
    targets.mutable_data()[i] = 1;
    inputs.mutable_data()[2 * i] += Scalar(1.5);
  }
  return {inputs, targets};
}

TrainerOptions options() {
  TrainerOptions o = bare({.epochs = 8});
  o.lr = 1e-2;
  return o;
}

double recall(train::Trainer& trainer, const train::Dataset& data) {
  const train::Confusion confusion = trainer.evaluate(data).confusion();
  return static_cast<double>(confusion.count(1, 1)) /
         static_cast<double>(confusion.count(1, 0) + confusion.count(1, 1));
}

}  // namespace

TEST_CASE("a weighted cross entropy counts the rows of a class as often as its weight says") {
  const Tensor logits({3, 2}, {0, 0, 0, 0, 0, log3}), targets({3}, {0, 1, 1});
  const auto got = weighted(cross_entropy, logits, targets, {2, 0.5});
  CHECK(got.loss == doctest::Approx((2 * 0.6931472 + 0.5 * 0.6931472 + 0.5 * 0.2876821) / 3));
  check_gradient(got, {-1.0 / 3, 1.0 / 3, 0.25 / 3, -0.25 / 3, 0.125 / 3, -0.125 / 3});
  const auto plain = weighted(cross_entropy, logits, targets, {});
  CHECK(plain.loss == doctest::Approx(static_cast<double>(cross_entropy(logits, targets).item())));
}

TEST_CASE("a weighted binary cross entropy counts targets between 0 and 1 for both classes") {
  const Tensor logits({2, 1}, {0, log3}), targets({2, 1}, {0, 1});
  const auto got = weighted(binary_cross_entropy_with_logits, logits, targets, {2, 0.5});
  CHECK(got.loss == doctest::Approx((2 * 0.6931472 + 0.5 * 0.2876821) / 2));
  check_gradient(got, {0.5, -0.0625});
  const Tensor soft({2, 1}, {Scalar(0.25), 1});
  const auto both = weighted(binary_cross_entropy_with_logits, logits, soft, {2, 0.5});
  CHECK(both.loss == doctest::Approx((2 * 0.75 * 0.6931472 + 0.5 * 0.25 * 0.6931472 + 0.5 * 0.2876821) / 2));
}

TEST_CASE("a weighted loss refuses what the loss refuses") {
  const auto fails = [](const Loss& loss, const Tensor& logits, const Tensor& targets, const char* text) {
    check_throws<Error>([&] { loss.weighted(logits, targets, {1, 2}); }, text);
  };
  fails(cross_entropy, Tensor::zeros({2, 2}), Tensor({2}, {0, 2}), "cross_entropy: want a class in [0, 2)");
  fails(cross_entropy, Tensor::zeros({2, 2}), Tensor({2}, {0, NAN}), "cross_entropy: want a class in [0, 2)");
  fails(cross_entropy, Tensor::zeros({2, 2}), Tensor::zeros({2, 1}), "reshape() the targets");
  fails(binary_cross_entropy_with_logits, Tensor::zeros({2}), Tensor({2}, {0, 2}), "want targets in [0, 1]; got 2");
  fails(binary_cross_entropy_with_logits, Tensor::zeros({2}), Tensor::zeros({2, 1}), "of the same shape");
}

TEST_CASE("balanced weights are N / (C n), and their mean over the rows is 1") {
  const std::vector<Index> counts{6, 2, 0, 4};
  const auto weights = train::balanced_weights(counts);
  REQUIRE(weights.size() == 4);
  CHECK(weights[0] == doctest::Approx(12 / (3.0 * 6)));
  CHECK(weights[1] == doctest::Approx(2));
  CHECK(weights[2] == 1);
  CHECK(weights[3] == doctest::Approx(1));
}

TEST_CASE("with balanced classes a rare class is found, and the weights are those of the training rows") {
  auto model = small_model(), plain = small_model();
  TrainerOptions o = options();
  train::Trainer without(plain, cross_entropy, o);
  without.fit(rare(900));
  CHECK(without.model_info().class_weights.empty());
  o.balance_classes = true;
  train::Trainer trainer(model, cross_entropy, o);
  const auto result = trainer.fit(rare(900));
  CHECK(recall(trainer, rare(900, 2)) > recall(without, rare(900, 2)) + 0.3);
  const std::vector<double>& weights = trainer.model_info().class_weights;
  REQUIRE(weights.size() == 2);
  CHECK(weights[0] == doctest::Approx(810 / (2 * 783.0)));
  CHECK(weights[1] == doctest::Approx(810 / (2 * 27.0)));

  // The file has them, so that the loss of an evaluation is the same.
  const TempDir dir;
  trainer.save_model(dir.path() / "model.hrm");
  auto fresh = small_model(7);
  train::Trainer loaded(fresh, cross_entropy, options());
  loaded.load_model(dir.path() / "model.hrm");
  CHECK(loaded.evaluate(rare(300, 3)).loss == trainer.evaluate(rare(300, 3)).loss);
}

TEST_CASE("a run with balanced classes resumes with the same bits") {
  const auto run = [](const TempDir& dir, std::int64_t stop_at) {
    TrainerOptions o = options();
    o.balance_classes = true;
    o.checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run"};
    auto model = small_model();
    Hooked trainer(model, cross_entropy, o);
    trainer.step_end = [&](const train::StepStats& stats) {
      if (stats.step == stop_at) trainer.stop();
    };
    trainer.fit(rare(300));
    if (stop_at == 0) return hash_of(model);
    auto fresh = small_model(9);
    train::Trainer again(fresh, cross_entropy, o);
    again.resume(dir.path() / "run" / "1", rare(300));
    return hash_of(fresh);
  };
  const TempDir whole, cut;
  CHECK(run(whole, 0) == run(cut, 11));
}

TEST_CASE("balanced classes want a loss of the library and one label a row") {
  TrainerOptions o = options();
  o.balance_classes = true;
  Rng rng(1);
  nn::Sequential model{nn::Linear{2, 2, rng}};
  const auto data = points(40);
  train::Trainer regression(model, mse_loss, o);
  check_throws<OptionError>(
      [&] {
        regression.fit(train::TensorDataset{data.inputs(), data.inputs()});
      },
      "fit: balance_classes wants cross_entropy or binary_cross_entropy_with_logits; got another");
  train::Trainer labels(model, binary_cross_entropy_with_logits, o);
  check_throws<OptionError>(
      [&] {
        labels.fit(train::TensorDataset{data.inputs(), Tensor::zeros({40, 2})});
      },
      "fit: balance_classes wants one label a row; got several");
}

TEST_CASE("class_imbalance offers balanced classes, which try_fix measures by the balanced loss") {
  TrainerOptions o = options();
  o.checks.labels = true;
  o.validation_split = 0.4;
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, o);
  const auto data = rare(3000);
  const auto result = trainer.fit(data);
  const auto offered = result.fixes();
  const auto found = std::ranges::find(offered, "balance classes", &train::Fix::name);
  REQUIRE(found != offered.end());
  CHECK(found->anomaly == "class_imbalance");
  const auto tried = trainer.try_fix(data, {*found}, {.steps = 300});
  REQUIRE(tried.arms.size() == 2);
  CHECK(tried.arms[1].applies);
  CHECK(tried.arms[1].difference_high < 0);
  CHECK(tried.kept == "balance classes");
  CHECK(trainer.options().balance_classes);
}

TEST_CASE("repair does not change the loss by itself") {
  TrainerOptions o = options();
  o.checks.labels = true;
  o.repair = 3;
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, o);
  const auto result = trainer.fit(rare(900));
  CHECK(std::ranges::none_of(result.repairs, [](const auto& attempt) { return attempt.fix == "balance classes"; }));
  CHECK_FALSE(trainer.options().balance_classes);
}
