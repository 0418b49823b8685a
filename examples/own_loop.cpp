// own_loop: a training loop without a Trainer, right and without zero_grad, and what train::Watch says of both
#include <cstdio>
#include <vector>

#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

namespace {

constexpr Index batch_size = 32, epochs = 20;

// Trains on iris. forgets: whether the gradients of earlier steps are left where they are.
void train_model(bool forgets) {
  Rng rng(42);
  const auto iris = train::load_csv(EXAMPLES_DATA "iris.csv", {.targets = {"species"}}).data;
  const auto [train_set, test_set] = train::random_split(iris, 0.2, 42);
  const nn::Sequential model{nn::Standardize::fit(train_set), nn::Linear{4, 32, rng}, nn::ReLU{},
                             nn::Linear{32, 3, rng}};
  optim::SGD optimizer{optim::decay_groups(model.parameters(), 0), {.momentum = 0.9}};
  train::Watch watch{model, optimizer, {.rows = train_set.size()}};

  train::Loader loader{train::Rows(train_set), {.batch_size = batch_size, .shuffle_seed = 42}};
  for (Index epoch = 1; epoch <= epochs; ++epoch) {
    loader.start_epoch(epoch);
    for (Index b = 0; b < loader.size(); ++b) {
      const auto [x, y] = loader.batch(b);
      if (!forgets) optimizer.zero_grad();
      Tape tape;
      const Tensor loss = cross_entropy(model(x), y);
      watch.step(loss, x, y);
      tape.backward(loss);
      optimizer.step(0.05);
    }
  }

  const auto test = train::Loader{train::Rows(test_set), {.batch_size = test_set.size()}}.batch(0);
  const std::vector<Index> classes = train::argmax(model(test.inputs));
  double right = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) right += test.targets.span()[i] == static_cast<Scalar>(classes[i]);
  std::printf("%s: test accuracy %.3f\n%s", forgets ? "without zero_grad" : "with zero_grad",
              right / static_cast<double>(classes.size()), watch.diagnosis_text().c_str());
}

}  // namespace

int main() try {
  train_model(false);
  train_model(true);
} catch (const std::exception& error) {
  return exit_status("own_loop", error);
}
