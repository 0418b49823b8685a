// custom_trainer: a Trainer with a loss, an optimizer and a hook of its own; every protection stays on
#include <cstdio>

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

  // Validation is by the plain loss.
  train::StepOutput validation_step(const train::Batch& batch) override { return Trainer::training_step(batch); }

  std::unique_ptr<optim::Optimizer> configure_optimizer() override {
    return std::make_unique<optim::SGD>(optim::decay_groups(model().parameters(), 1e-4),
                                        optim::SGDOptions{.momentum = 0.9, .nesterov = true});
  }

  void on_step_end(const train::StepStats& stats) override { steepest_ = std::max(steepest_, stats.grad_norm); }

  void on_epoch_end(const train::EpochStats& stats) override {
    std::printf("  largest gradient norm of epoch %td: %.2f\n", stats.epoch, steepest_);
    steepest_ = 0;
  }

 private:
  double steepest_ = 0;
};

int main(int argc, char** argv) try {
  train::Arguments arguments(argc, argv);
  const auto options = arguments.options({.epochs = 10, .lr = 0.05});
  const auto digits = train::load_idx(EXAMPLES_DATA "digits-images-idx3-ubyte",
                                      EXAMPLES_DATA "digits-labels-idx1-ubyte", {.classes = 10, .flatten = true});
  const auto [train_set, test_set] = train::random_split(digits, 0.2, options.seed);

  Rng rng(options.seed);
  nn::Sequential model{nn::Linear{64, 64, rng}, nn::ReLU{}, nn::Linear{64, 10, rng}};
  Smoothed trainer(model, options);
  trainer.fit(train_set);
  std::printf("test accuracy %.4f\n", *trainer.evaluate(test_set).accuracy);
} catch (const std::exception& error) {
  std::fprintf(stderr, "custom_trainer: %s\n", error.what());
  return 1;
}
