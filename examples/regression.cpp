// regression: the width of a petal from a CSV table, with inputs standardised inside the model
#include <cstdio>
#include <string>

#include <handrail/handrail.h>

#include "arguments/arguments.h"

using namespace handrail;

int main(int argc, char** argv) try {
  Arguments arguments(argc, argv);
  const std::string run_dir = arguments.run_to_resume();
  const std::string file = arguments.get("csv", EXAMPLES_DATA "iris.csv", "the table");
  const std::string target = arguments.get("target", "petal_width", "the column to predict");
  // R^2: the share of the variance that the model explains.
  const auto options =
      arguments.options({.epochs = 200, .batch_size = 16, .lr = 3e-3, .metrics = {train::R2{}, train::Mae{}}});

  const auto table = train::load_csv(file, {.targets = {target}, .kind = train::Target::value});
  std::printf("%s\n", table.encoder.text().c_str());
  const auto [train_set, test_set] = train::random_split(table.data, 0.2, options.seed);
  const train::Batch test_rows = train::first_samples(test_set, test_set.size());

  Rng rng(options.seed);
  nn::Sequential model{nn::Standardize::fit(train_set), nn::Linear{train_set.input_shape().size(), 32, rng}, nn::GELU{},
                       nn::Linear{32, 1, rng}};
  train::Trainer trainer{model, mse_loss, options};
  const auto result = fit_or_resume(trainer, train_set, run_dir);
  if (result.signal != 0) return result.exit_status();

  const Tensor predicted = trainer.predict(test_rows.inputs);
  std::printf("\n%-12s predicted\n", target.c_str());
  for (Index i = 0; i < 5; ++i)
    std::printf("%-12.2f %.2f\n", static_cast<double>(test_rows.targets.at({i, 0})),
                static_cast<double>(predicted.at({i, 0})));
  const auto test = trainer.evaluate(test_set);
  std::printf("test R2 %.4f, mean absolute error %.4f\n", test.metric("r2"), test.metric("mae"));
  return result.exit_status();
} catch (const std::exception& error) {
  return exit_status("regression", error);
}
