#include <doctest/doctest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <handrail/train/checks/internal/outcome/linear_model.h>
#include <handrail/train/checks/internal/outcome/outcome_checks.h>
#include <handrail/train/checks/internal/outcome/products.h>

#include "support/guard_runs.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

// Scores of a regression with these errors in 100 rows, the variance of whose targets is 1.
RowScores errors_of(double size, std::uint64_t seed) {
  Rng rng(seed);
  const Tensor targets({100, 1}), predictions({100, 1});
  for (Index i = 0; i < 100; ++i) {
    targets.mutable_data()[i] = i % 2 == 0 ? 1 : -1;
    predictions.mutable_data()[i] = targets.data()[i] + static_cast<Scalar>(size * rng.normal());
  }
  return *score_rows(predictions, targets, Task::regression);
}

}  // namespace

TEST_CASE("the linear model of a regression is the ridge regression") {
  // One standardised column x = -1, 1: the slope of the targets 0, 4 is 2 * N / (N + penalty), N = 2, penalty 1.02.
  const Tensor x({2, 1}, {3, 5}), y({2, 1}, {0, 4});
  const LinearModel model(x, y, Task::regression, 1);
  const Tensor p = model.predict(x);
  CHECK(static_cast<double>(p.data()[1] - p.data()[0]) == doctest::Approx(2 * 2 * 2 / (2 + 1.02)));
  CHECK(static_cast<double>(p.data()[1] + p.data()[0]) == doctest::Approx(4));
}

TEST_CASE("the linear model of classes tells apart what a line tells apart") {
  for (const bool binary : {false, true}) {
    CAPTURE(binary);
    const TensorDataset data = points(400), test = points(200, 2);
    const Task task = binary ? Task::binary : Task::multiclass;
    const LinearModel model(data.inputs(), data.targets(), task, binary ? 1 : 2);
    Tensor p = model.predict(test.inputs());
    if (binary) p = p.view(Shape{200});
    const auto scores = score_rows(p, test.targets(), task);
    REQUIRE(scores);
    double right = 0;
    for (const double credit : scores->credits) right += credit / 200;
    CHECK(right > 0.97);
  }
}

TEST_CASE("scores are cross entropy and accuracy, or squared error and R2, a row each") {
  const auto classes = score_rows(Tensor({2, 2}, {0, 0, 2, 0}), Tensor(Shape{2}, {0, 1}), Task::multiclass);
  CHECK(classes->losses[0] == doctest::Approx(std::log(2)));
  CHECK(classes->losses[1] == doctest::Approx(2 + std::log1p(std::exp(-2))));
  CHECK(classes->credits == std::vector<double>{1, 0});
  const auto numbers = score_rows(Tensor({2, 1}, {1, 1}), Tensor({2, 1}, {0, 2}), Task::regression);
  CHECK(numbers->losses == std::vector<double>{1, 1});
  CHECK(numbers->credits == std::vector<double>{0, 0});
  CHECK_FALSE(score_rows(Tensor({2, 2}, {0, 0, 2, 0}), Tensor(Shape{2}, {0, 5}), Task::multiclass));
  CHECK_FALSE(score_rows(Tensor({2, 1}, {1, nan_value}), Tensor({2, 1}, {0, 2}), Task::regression));
  CHECK_FALSE(score_rows(Tensor({2, 1}, {1, 1}), Tensor({2, 1}, {2, 2}), Task::regression));
}

TEST_CASE("a model is called worse than a line only when loss and score are clearly worse") {
  CHECK(name_of(check_linear(errors_of(0.5, 1), errors_of(0.1, 2), Task::regression)) == "model_worse_than_linear");
  CHECK(name_of(check_linear(errors_of(0.1, 1), errors_of(0.5, 2), Task::regression)) == "");
  CHECK(name_of(check_linear(errors_of(0.1, 1), errors_of(0.1, 2), Task::regression)) == "");
  CHECK(name_of(check_linear(errors_of(0.01, 1), errors_of(0.001, 2), Task::regression)) == "");  // both are good
}

TEST_CASE("a model that is worse in evaluation is named, one that dropout makes worse in training is not") {
  CHECK(name_of(check_modes(errors_of(0.1, 1), errors_of(0.5, 2), Task::regression)) == "train_eval_gap");
  CHECK(name_of(check_modes(errors_of(0.5, 1), errors_of(0.1, 2), Task::regression)) == "");
  CHECK(name_of(check_modes(errors_of(0.3, 1), errors_of(0.32, 2), Task::regression)) == "");
}

TEST_CASE("a model that is sure of the opposite of its training targets is blamed on the sign of the loss") {
  const auto scores = [](double loss, double right) {
    RowScores rows;
    for (int i = 0; i < 100; ++i) {
      rows.losses.push_back(loss);
      rows.credits.push_back(i < 100 * right ? 1 : 0);
    }
    return rows;
  };
  CHECK(name_of(check_opposite(scores(10, 0.01), Task::multiclass, 4)) == "loss_sign");
  CHECK(name_of(check_opposite(scores(5, 0.1), Task::binary, 2)) == "loss_sign");
  CHECK(name_of(check_opposite(scores(0.8, 0.1), Task::binary, 2)) == "");     // an untrained model
  CHECK(name_of(check_opposite(scores(10, 0.2), Task::multiclass, 4)) == "");  // a bad one
  CHECK(name_of(check_opposite(scores(10, 0), Task::regression, 2)) == "");
}

TEST_CASE("columns of noise are named when there are many for the rows and validation is worse") {
  const NoiseColumns many{.columns = 80, .of = 100, .rows = 200}, few{.columns = 30, .of = 100, .rows = 200};
  const RowScores good = errors_of(0.1, 1), bad = errors_of(0.6, 2);
  CHECK(name_of(check_noise_columns(many, good, bad, Task::regression)) == "noise_columns");
  CHECK(name_of(check_noise_columns(many, good, good, Task::regression)) == "");
  CHECK(name_of(check_noise_columns(few, good, bad, Task::regression)) == "");
  CHECK(check_noise_columns(many, good, bad, Task::regression)->severity == Severity::note);
  CHECK(check_noise_columns({.columns = 80, .of = 100, .rows = 160}, good, bad, Task::regression)->severity ==
        Severity::warning);
  CHECK(name_of(check_noise_columns({.columns = 80, .of = 100, .rows = 2000}, good, bad, Task::regression)) == "");
}

TEST_CASE("a model with far more weights than rows is a note when validation is worse than training") {
  const RowScores good = errors_of(0.1, 1), bad = errors_of(0.6, 2);
  const auto found = check_model_size(100'000, 100, good, bad, Task::regression);
  CHECK(name_of(found) == "model_too_large");
  CHECK(found->severity == Severity::note);
  CHECK(name_of(check_model_size(100'000, 100, good, good, Task::regression)) == "");
  CHECK(name_of(check_model_size(10'000, 100, good, bad, Task::regression)) == "");
}

TEST_CASE("weights that are kept are called overfitted when validation is far worse than training") {
  CHECK(name_of(check_memorised(errors_of(0.1, 1), errors_of(0.6, 2), Task::regression)) == "overfitting");
  CHECK(name_of(check_memorised(errors_of(0.1, 1), errors_of(0.2, 2), Task::regression)) == "");
}

TEST_CASE("validation inputs that were sorted without their targets are named by the column and the scores") {
  Rng rng(1);
  const Tensor inputs = normal({100, 3}, 0, 1, rng), targets = normal({100, 1}, 0, 1, rng);
  const RowScores good = errors_of(0.1, 1), none = errors_of(1.2, 2);
  CHECK(name_of(check_sorted_apart(good, none, inputs, targets, Task::regression)) == "");
  for (Index i = 0; i < 100; ++i) inputs.mutable_data()[3 * i + 1] = static_cast<Scalar>(i);
  const auto found = check_sorted_apart(good, none, inputs, targets, Task::regression);
  REQUIRE(found);
  CHECK(found->name == "labels_shuffled");
  CHECK(found->where == "validation set, column 1 of the inputs");
  CHECK(name_of(check_sorted_apart(good, good, inputs, targets, Task::regression)) == "");
  CHECK(name_of(check_sorted_apart(none, none, inputs, targets, Task::regression)) == "");
}

TEST_CASE("a rate at which the run has learnt too little is named by what further steps at a higher one gain") {
  const auto evaluation = [](double loss, double noise) {
    train::Evaluation e{.loss = loss, .samples = 40};
    for (int i = 0; i < 40; ++i) e.group_losses.push_back(loss + (i % 2 == 0 ? noise : -noise));
    return e;
  };
  const train::LongerTraining trial{.lr = 1e-4, .steps = 50, .trial_lr = 1e-3};
  const auto clear = check_undertrained(trial, evaluation(1, 0.1), evaluation(0.4, 0.1));
  REQUIRE(clear);
  CHECK(clear->name == "lr_too_low");
  CHECK(clear->severity == Severity::warning);
  CHECK(clear->evidence == "50 more steps at a rate of 0.001 lower the validation loss from 1 to 0.4");
  CHECK(check_undertrained(trial, evaluation(1, 0.1), evaluation(0.7, 0.1))->severity == Severity::note);
  CHECK(name_of(check_undertrained(trial, evaluation(1, 0.1), evaluation(0.8, 0.1))) == "");
  CHECK(name_of(check_undertrained(trial, evaluation(1, 3), evaluation(0.7, 0.1))) == "");  // noise
  CHECK(name_of(check_undertrained(trial, evaluation(1, 0.1), evaluation(2, 0.1))) == "");
}

TEST_CASE("a run that ended early by its time or a low patience is named") {
  CHECK(name_of(check_end({.steps = 5, .planned_steps = 1000, .max_seconds = 1})) == "limited_run");
  CHECK(name_of(check_end({.steps = 950, .planned_steps = 1000, .max_seconds = 1})) == "");
  CHECK(name_of(check_end({.steps = 90, .planned_steps = 1000, .patience = 1, .steps_to_evaluation = 30})) ==
        "patience_too_low");
  // The default patience of a small table, with one step in an epoch.
  CHECK(name_of(check_end({.steps = 20, .planned_steps = 1000, .patience = 10, .steps_to_evaluation = 1})) == "");
  CHECK(name_of(check_end({.steps = 290, .planned_steps = 1000, .patience = 10, .steps_to_evaluation = 29})) == "");
  const auto within_epoch =
      check_end({.steps = 800, .planned_steps = 1000, .patience = 3, .steps_to_evaluation = 3, .steps_to_epoch = 25});
  REQUIRE(within_epoch);
  CHECK(within_epoch->severity == Severity::warning);
  const auto hasty =
      check_end({.steps = 80, .planned_steps = 1000, .patience = 4, .steps_to_evaluation = 2, .steps_to_epoch = 40});
  CHECK(name_of(hasty) == "patience_too_low");
  CHECK(
      name_of(check_end(
          {.steps = 800, .planned_steps = 9000, .patience = 10, .steps_to_evaluation = 50, .steps_to_epoch = 4500})) ==
      "");  // an epoch of many steps
  const auto late =
      check_end({.steps = 500, .planned_steps = 1000, .patience = 3, .steps_to_evaluation = 25, .steps_to_epoch = 25});
  REQUIRE(late);
  CHECK(late->severity == Severity::note);
  CHECK(name_of(check_end({.steps = 900, .planned_steps = 1000, .patience = 1, .steps_to_evaluation = 30})) == "");
  CHECK(name_of(check_end({.steps = 1000, .planned_steps = 1000})) == "");
}

TEST_CASE("a model is affine when it predicts the middle of two rows as the middle of their predictions") {
  const Tensor a({2, 2}, {1, 2, 3, 4}), b({2, 2}, {3, 0, 1, 8});
  CHECK(is_affine(a, b, Tensor({2, 2}, {2, 1, 2, 6})));
  CHECK_FALSE(is_affine(a, b, Tensor({2, 2}, {2, 1, 2, Scalar(6.2)})));
  CHECK_FALSE(is_affine(a, a, a));  // it predicts one value
}

TEST_CASE("a linear model of squares and products bends, and is what an affine model is compared with") {
  Rng rng(1);
  const Tensor x = normal({400, 3}, 0, 1, rng), y(Shape{400});
  for (Index i = 0; i < 400; ++i)
    y.mutable_data()[i] = x.data()[3 * i] * x.data()[3 * i + 1] > 0 ? Scalar(1) : Scalar(0);
  const Products products(x);
  CHECK(products.of(x).shape() == Shape{400, 9});
  const auto scores = [&](const Tensor& inputs) {
    return *score_rows(LinearModel(inputs, y, Task::multiclass, 2).predict(inputs), y, Task::multiclass);
  };
  const RowScores line = scores(x), curve = scores(products.of(x));
  CHECK(name_of(check_curved(line, curve, Task::multiclass)) == "model_too_small");
  CHECK_FALSE(check_curved(curve, curve, Task::multiclass));
}
