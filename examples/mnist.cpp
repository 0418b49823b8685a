// mnist: a 784-256-128-10 network on MNIST in 5 epochs, or on the embedded digits when MNIST is not at hand
#include <cstdio>
#include <string>

#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

struct Data {
  std::shared_ptr<const train::Dataset> train, test;
};

Data load(const std::string& folder, std::uint64_t seed) {
  if (!folder.empty()) {
    const train::Mnist mnist = train::load_mnist(folder);
    return {std::make_shared<train::ByteDataset>(mnist.train), std::make_shared<train::ByteDataset>(mnist.test)};
  }
  const auto digits = train::load_idx(EXAMPLES_DATA "digits-images-idx3-ubyte",
                                      EXAMPLES_DATA "digits-labels-idx1-ubyte", {.classes = 10, .flatten = true});
  const auto [train, test] = train::random_split(digits, 0.2, seed);
  return {std::make_shared<train::Subset>(train), std::make_shared<train::Subset>(test)};
}

int main(int argc, char** argv) try {
  Arguments arguments(argc, argv);
  const std::string folder = arguments.get("data", "", "the folder of MNIST; without it the embedded digits are used");
  const std::string run_dir = arguments.run_to_resume();
  const bool real = !folder.empty();
  const auto options = arguments.options({.epochs = real ? 5 : 20, .batch_size = real ? 128 : 16});
  const Data data = load(folder, options.seed);

  Rng rng(options.seed);
  nn::Sequential model{nn::Linear{data.train->input_shape().size(), 256, rng}, nn::ReLU{}, nn::Linear{256, 128, rng},
                       nn::ReLU{}, nn::Linear{128, 10, rng}};

  train::Trainer trainer{model, cross_entropy, options};
  const auto result = fit_or_resume(trainer, *data.train, run_dir);
  if (result.signal != 0) return result.exit_status();
  const auto test = trainer.evaluate(*data.test);

  const auto predicted = train::argmax(trainer.predict(*data.test));
  const Tensor labels = train::first_samples(*data.test, 10).targets;
  std::printf("\nten test digits  predicted ");
  for (std::size_t i = 0; i < 10; ++i) std::printf(" %td", predicted[i]);
  std::printf("\n                 labels    ");
  for (const Scalar label : labels.span()) std::printf(" %.0f", static_cast<double>(label));
  std::printf("\ntest accuracy %.4f\n", test.accuracy());
  return result.exit_status();
} catch (const std::exception& error) {
  return exit_status("mnist", error);
}
