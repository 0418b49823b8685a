// custom_trainer: a Trainer with a loss, a metric and a hook of its own; every protection stays on
#include <algorithm>
#include <cstdio>
#include <utility>

#include <handrail/handrail.h>

using namespace handrail;

class Smoothed : public train::Trainer {
 public:
  Smoothed(nn::Layer& model, train::TrainerOptions options) : Trainer(model, cross_entropy, std::move(options)) {}

 protected:
  // Label smoothing (Szegedy et al. 2016): a tenth of the weight goes to all classes alike.
  train::StepOutput training_step(const train::Batch& batch) override {
    const Tensor logits = predict_step(batch.inputs);
    const Tensor uniform_part = -mean(log_softmax(logits));
    return {.loss = 0.9 * cross_entropy(logits, batch.targets) + 0.1 * uniform_part, .predictions = logits};
  }

  // Validation is by the plain loss, and by how often the label is among the two most likely classes.
  train::StepOutput validation_step(const train::Batch& batch) override {
    const Tensor logits = predict_step(batch.inputs);
    const Index rows = logits.shape()[0], classes = logits.shape()[1];
    Index among_two = 0;
    for (Index i = 0; i < rows; ++i) {
      const auto row = logits.span().subspan(static_cast<std::size_t>(i * classes), static_cast<std::size_t>(classes));
      const Scalar label = row[static_cast<std::size_t>(batch.targets.data()[i])];
      among_two += std::ranges::count_if(row, [&](Scalar logit) { return logit > label; }) < 2;
    }
    return {.loss = cross_entropy(logits, batch.targets),
            .predictions = logits,
            .metrics = {{"top2", static_cast<double>(among_two) / static_cast<double>(rows)}}};
  }

  void on_step_end(const train::StepStats& stats) override { steepest_ = std::max(steepest_, stats.grad_norm); }

  void on_epoch_end(const train::EpochStats& stats) override {
    std::printf("  largest gradient norm of epoch %td: %.2f\n", stats.epoch, std::exchange(steepest_, 0));
  }

 private:
  double steepest_ = 0;
};

int main(int argc, char** argv) try {
  train::Arguments arguments(argc, argv);
  // The metric decides which weights are the best, and when training has gone on long enough.
  const auto options = arguments.options({.epochs = 10, .monitor = "val_top2", .mode = train::MonitorMode::max});
  const auto digits = train::load_idx(EXAMPLES_DATA "digits-images-idx3-ubyte",
                                      EXAMPLES_DATA "digits-labels-idx1-ubyte", {.classes = 10, .flatten = true});
  const auto [train_set, test_set] = train::stratified_split(digits, 0.2, options.seed);

  Rng rng(options.seed);
  nn::Sequential model{nn::Linear{64, 64, rng}, nn::ReLU{}, nn::Linear{64, 10, rng}};
  Smoothed trainer(model, options);
  const auto result = trainer.fit(train_set);
  const auto test = trainer.evaluate(test_set);
  std::printf("best epoch %td, test top2 %.4f\n", result.best->epoch, test.metrics[0].value);
  std::printf("test accuracy %.4f\n", *test.accuracy);
} catch (const std::exception& error) {
  std::fprintf(stderr, "custom_trainer: %s\n", error.what());
  return 1;
}
