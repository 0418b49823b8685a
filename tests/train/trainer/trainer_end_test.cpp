#include <doctest/doctest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/guard_runs.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

// What is found after the first step, with its severity.
struct OwnSteps : Hooked {
  using Hooked::Hooked;
  std::function<StepOutput(const Batch&batch)> train, validate;
  std::function<Tensor(const Tensor& inputs)> predicts;
  StepOutput plain(const Batch& batch) { return Hooked::training_step(batch); }

 protected:
  StepOutput training_step(const Batch& batch) override { return train ? train(batch) : plain(batch); }
  Tensor predict_step(const Tensor& inputs) override {
    return predicts ? predicts(inputs) : Hooked::predict_step(inputs);
  }
  StepOutput validation_step(const Batch& batch) override { return validate ? validate(batch) : plain(batch); }
};

const Anomaly* fits(OwnSteps& trainer, const std::string& name, FitResult& result) {
  result = trainer.fit(points(600));
  for (const Anomaly& anomaly : result.anomalies)
    if (anomaly.step > 0) check_headline(anomaly);
  return find_anomaly(result, name);
}

TrainerOptions usual() { return quiet({.epochs = 10, .lr = 1e-2}); }

}  // namespace

TEST_CASE("a healthy run ends without a word, and the checks after it change no bit") {
  TrainerOptions options = usual();
  std::vector<std::uint64_t> hashes;
  for (const bool on : {true, false}) {
    options.guards.evaluation = options.guards.linear = on;
    NormModel model;
    OwnSteps trainer(model, cross_entropy, options);
    CHECK(trainer.fit(points(600)).diagnosis_text() == "");
    hashes.push_back(hash_of(model));
  }
  CHECK(hashes[0] == hashes[1]);
}

TEST_CASE("weights that a hook sets between steps are named by how much they change") {
  for (const double size : {0.1, 1e-4}) {
    nn::Sequential model = small_model();
    OwnSteps trainer(model, cross_entropy, usual());
    trainer.step_end = [&](const StepStats&) {
      for (const Parameter& p : model.parameters())
        for (Scalar& value : p.tensor.mutable_span()) value *= static_cast<Scalar>(1 - size);
    };
    FitResult result;
    const Anomaly* found = fits(trainer, "weights_overwritten", result);
    REQUIRE(found);
    CHECK(found->severity == (size > 0.01 ? Severity::warning : Severity::note));
    CHECK(found->where == "0.weight");
    CHECK(result.anomaly_counts.at("weights_overwritten") == 1);
  }
}

TEST_CASE("weights that a hook sets back after small steps are a warning, however small the change is") {
  nn::Sequential model = small_model();
  TrainerOptions options = usual();
  options.lr = 1e-5;
  OwnSteps trainer(model, cross_entropy, options);
  std::vector<Tensor> kept;
  for (const Parameter& p : model.parameters()) kept.push_back(p.tensor.clone());
  trainer.step_end = [&](const StepStats&) {
    std::size_t next = 0;
    for (const Parameter& p : model.parameters()) std::ranges::copy(kept[next++].span(), p.tensor.mutable_data());
  };
  FitResult result;
  const Anomaly* found = fits(trainer, "weights_overwritten", result);
  REQUIRE(found);
  CHECK(found->severity == Severity::warning);
}

TEST_CASE("a hook that writes the weights that are there, and rollbacks, are no overwriting") {
  nn::Sequential model = small_model();
  Poisoned trainer(model, cross_entropy, usual());
  trainer.bad = [](std::int64_t step) { return step >= 40 && step < 46; };
  trainer.epoch_start = [&](Index) {
    for (const Parameter& p : model.parameters()) p.tensor.mutable_data();
  };
  const FitResult result = trainer.fit(points(600));
  CHECK(result.rollbacks == 1);
  CHECK_FALSE(find_anomaly(result, "weights_overwritten"));
}

TEST_CASE("a training step that scales the inputs, and a validation that ignores its batch, are named") {
  nn::Sequential model = small_model();
  TrainerOptions unchecked = usual();
  unchecked.checks = no_checks();
  OwnSteps trainer(model, cross_entropy, unchecked);
  trainer.train = [&](const Batch& batch) { return trainer.plain({batch.inputs * -1.0, batch.targets}); };
  FitResult result;
  CHECK(fits(trainer, "train_eval_gap", result));

  nn::Sequential other = small_model();
  OwnSteps ignores(other, cross_entropy, usual());
  ignores.validate = [](const Batch&) { return StepOutput{.loss = Tensor::scalar(0.5F)}; };
  CHECK(fits(ignores, "validation_ignored", result));
}

TEST_CASE("an evaluation with random numbers is named") {
  nn::Sequential model = small_model();
  OwnSteps trainer(model, cross_entropy, usual());
  Rng rng(1);
  trainer.validate = [&](const Batch& batch) {
    return trainer.plain({batch.inputs + normal(batch.inputs.shape(), 0, 1, rng), batch.targets});
  };
  FitResult result;
  CHECK(fits(trainer, "random_evaluation", result));
}

TEST_CASE("a model that a line beats is named, and the cause comes before it") {
  nn::Sequential model = small_model();
  TrainerOptions options = usual();
  options.lr = 1e-6;
  OwnSteps trainer(model, cross_entropy, options);
  FitResult result;
  CHECK(fits(trainer, "model_worse_than_linear", result));
  CHECK(result.diagnosis().front().rank < Rank::outcome);
  options.guards.linear = off;
  nn::Sequential again = small_model();
  OwnSteps without(again, cross_entropy, options);
  CHECK_FALSE(fits(without, "model_worse_than_linear", result));
}

TEST_CASE("an exception of the program in the checks after a run does not end it") {
  NormModel model;
  TrainerOptions unchecked = usual();
  unchecked.checks = no_checks();
  OwnSteps trainer(model, cross_entropy, unchecked);
  int calls = 0;
  trainer.predicts = [&](const Tensor& inputs) {
    if (trainer.attempt == 0) return model.forward(inputs);
    ++calls;
    throw std::runtime_error("not for these rows");
  };
  CHECK_NOTHROW(trainer.fit(points(600)));
  CHECK(calls == 1);
}

TEST_CASE("a model without a hidden layer is named where its inputs call for one, and only there") {
  Rng data(5);
  const Tensor x = normal({800, 3}, 0, 1, data), crossed(Shape{800}), straight(Shape{800});
  for (Index i = 0; i < 800; ++i) {
    crossed.mutable_data()[i] = x.data()[3 * i] * x.data()[3 * i + 1] > 0 ? Scalar(1) : Scalar(0);
    straight.mutable_data()[i] = x.data()[3 * i] + x.data()[3 * i + 1] > 0 ? Scalar(1) : Scalar(0);
  }
  const auto named = [&](const Tensor& targets, bool hidden) {
    Rng rng(1);
    nn::Sequential model = hidden ? nn::Sequential{nn::Linear{3, 16, rng}, nn::ReLU{}, nn::Linear{16, 2, rng}}
                                  : nn::Sequential{nn::Linear{3, 2, rng}};
    OwnSteps trainer(model, cross_entropy, usual());
    const FitResult result = trainer.fit(TensorDataset(x, targets));
    return find_anomaly(result, "model_too_small") != nullptr;
  };
  CHECK(named(crossed, false));
  CHECK_FALSE(named(crossed, true));
  CHECK_FALSE(named(straight, false));
}
