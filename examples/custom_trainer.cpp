// custom_trainer: a Trainer with a loss, a metric, a guard and a hook of its own; every protection stays on
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

// A metric of its own: how often the label is among the two most likely classes. Each evaluation adds all of its
// batches to a copy, and asks that for the result.
struct Top2 {
  std::string name() const { return "top2"; }
  void add(const Tensor& logits, const Tensor& labels) {
    const Index classes = logits.shape()[1];
    for (Index i = 0; i < labels.size(); ++i, ++rows) {
      const Scalar* row = logits.data() + i * classes;
      const Scalar label = row[static_cast<Index>(labels.data()[i])];
      hits += std::count_if(row, row + classes, [&](Scalar logit) { return logit > label; }) < 2;
    }
  }
  double result() const { return static_cast<double>(hits) / static_cast<double>(rows); }
  Index hits = 0, rows = 0;
};

// A guard of its own: ends the run when the gradient norm has been above 100 for ten steps in a row. It only says so;
// the Trainer acts on it, shows it, and keeps what visit_state names in its checkpoints.
class SteepGuard : public train::Guard {
 public:
  const char* name() const override { return "steep"; }
  std::optional<train::Anomaly> check_gradients(const train::StepStats& stats) override {
    constexpr double max_norm = 100;
    constexpr Index max_steps = 10;
    steps_ = stats.grad_norm > max_norm ? steps_ + 1 : 0;
    if (steps_ < max_steps) return std::nullopt;
    steps_ = 0;
    return train::Anomaly{.name = "steep_loss",
                          .step = stats.step,
                          .evidence = "the gradient norm was above 100 for 10 steps in a row",
                          .cause = "a learning rate that is too high",
                          .remedy = "lower lr",
                          .action = train::Action::stop,
                          .rank = train::Rank::blow_up};
  }
  void visit_state(train::StateVisitor& state) override { state.count(steps_); }

 private:
  Index steps_ = 0;
};

class Smoothed : public train::Trainer {
 public:
  Smoothed(nn::Layer& model, train::TrainerOptions options) : Trainer(model, cross_entropy, std::move(options)) {}

 protected:
  // Label smoothing (Szegedy et al. 2016): a tenth of the weight goes to all classes alike. A figure that is a mean
  // over samples, such as a part of the loss, is logged from here.
  train::StepOutput training_step(const train::Batch& batch) override {
    const Tensor logits = predict_step(batch.inputs);
    const Tensor plain = cross_entropy(logits, batch.targets), uniform_part = -mean(log_softmax(logits));
    return {.loss = 0.9 * plain + 0.1 * uniform_part,
            .predictions = logits,
            .metrics = {{"plain_loss", static_cast<double>(plain.item())}}};
  }

  // Validation is by the plain loss; accuracy and metrics are of the predictions.
  train::StepOutput validation_step(const train::Batch& batch) override {
    const Tensor logits = predict_step(batch.inputs);
    return {.loss = cross_entropy(logits, batch.targets), .predictions = logits};
  }

  std::vector<std::unique_ptr<train::Guard>> configure_guards() override {
    std::vector<std::unique_ptr<train::Guard>> guards;
    guards.push_back(std::make_unique<SteepGuard>());
    return guards;
  }

  void on_step_end(const train::StepStats& stats) override { steepest_ = std::max(steepest_, stats.grad_norm); }

  void on_epoch_end(const train::EpochStats& stats) override {
    std::printf("  largest gradient norm of epoch %td: %.2f\n", stats.epoch, std::exchange(steepest_, 0));
  }

 private:
  double steepest_ = 0;
};

int main(int argc, char** argv) try {
  Arguments arguments(argc, argv);
  const std::string run_dir = arguments.run_to_resume();
  // The metric decides which weights are the best, and when training has gone on long enough.
  const auto options = arguments.options(
      {.epochs = 10, .metrics = {Top2{}, train::F1{}}, .monitor = "val_top2", .mode = train::MonitorMode::max});
  const auto digits = train::load_idx(EXAMPLES_DATA "digits-images-idx3-ubyte",
                                      EXAMPLES_DATA "digits-labels-idx1-ubyte", {.classes = 10, .flatten = true});
  const auto [train_set, test_set] = train::stratified_split(digits, 0.2, options.seed);

  Rng rng(options.seed);
  nn::Sequential model{nn::Linear{64, 64, rng}, nn::ReLU{}, nn::Linear{64, 10, rng}};
  Smoothed trainer(model, options);
  const auto result = fit_or_resume(trainer, train_set, run_dir);
  if (result.signal != 0) return result.exit_status();
  const auto test = trainer.evaluate(test_set);
  std::printf("\n%s\n", test.confusion().text().c_str());
  if (result.best) std::printf("best epoch %td, ", result.best->epoch);
  std::printf("test top2 %.4f, macro F1 %.4f\n", test.metric("top2"), test.metric("f1"));
  std::printf("test accuracy %.4f\n", test.accuracy());
  return result.exit_status();
} catch (const std::exception& error) {
  return exit_status("custom_trainer", error);
}
