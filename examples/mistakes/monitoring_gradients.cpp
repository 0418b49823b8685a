// Values that must not reach a parameter: M3 and M8.
#include <algorithm>
#include <cmath>
#include <limits>

#include "monitoring_tasks.h"
#include "pairs_m.h"

namespace gallery {
namespace {

Outcome run_m3(std::uint64_t seed) {
  constexpr Index epochs = 10;
  constexpr double lr = 0.05;
  constexpr optim::SGDOptions momentum{.momentum = 0.9};
  const Readings data = readings(seed, 0.01);
  const auto side = [&](const auto& train_it) {
    auto model = mlp({4, 32, 32, 1}, seed);
    const double before = loss_on(data.test, model, mse_loss);
    train_it(model);
    const double after = loss_on(data.test, model, mse_loss);
    return Side{.failed = exceeds(after, before / 2), .evidence = concat("loss ", text(before), " -> ", text(after))};
  };
  return {.wrong = side([&](nn::Sequential& model) {
            optim::SGD optimizer(one_group(model), momentum);
            WatchedLoop{.epochs = epochs, .seed = seed, .loss = mse_loss}.run(model, data.train, optimizer,
                                                                              optim::constant(lr));
          }),
          .handrail = side([&](nn::Sequential& model) {
            auto options = defaults(epochs, seed);
            options.optimizer = train::with<optim::SGD>(momentum);
            options.lr = lr;
            train::Trainer{model, mse_loss, options}.fit(data.train, data.test);
          })};
}

// One number of one row is NaN.
train::TensorDataset poison(const train::TensorDataset& data, Index row) {
  const Tensor inputs = data.inputs().clone();
  inputs.mutable_data()[row * data.input_shape().size()] = std::numeric_limits<Scalar>::quiet_NaN();
  return {inputs, data.targets(), {.check_finite = false}};
}

Outcome run_m8(std::uint64_t seed) {
  constexpr Index epochs = 10, bad_row = 77;
  const Digits data = digits(seed);
  const train::TensorDataset poisoned = poison(data.train, bad_row);
  const auto judge = [&](const nn::Sequential& model, const std::string& more) {
    const double accuracy = accuracy_on(data.test, model);
    Index bad = 0;
    for (const Parameter& p : model.parameters())
      bad += std::ranges::count_if(p.tensor.span(), [](Scalar x) { return !std::isfinite(x); });
    return Side{.failed = bad > 0 || accuracy < 0.9,
                .evidence = concat(bad, " weights NaN, accuracy ", text(accuracy), more)};
  };
  Outcome outcome;
  {
    auto model = mlp({64, 32, 10}, seed);
    optim::AdamW optimizer(one_group(model));
    WatchedLoop{.epochs = epochs, .seed = seed}.run(model, poisoned, optimizer, optim::constant(1e-3));
    outcome.wrong = judge(model, "");
  }
  {
    auto model = mlp({64, 32, 10}, seed);
    auto options = defaults(epochs, seed);
    options.checks.finite = train::off;  // it would name the row, and not train at all
    const auto result = train::Trainer{model, cross_entropy, options}.fit(poisoned, data.test);
    const auto* found = find(result.anomalies, "non_finite");
    outcome.handrail =
        judge(model, concat(", ", result.skipped, " skipped: ", found ? found->where.substr(0, 6) : "?"));
  }
  return outcome;
}

}  // namespace

Row m3() {
  return {.id = "M3",
          .mistake = "no gradient clipping, one reading in a hundred is wild",
          .wrong_way = "SGD with momentum 0.9 takes the gradients as they come",
          .criterion = "the loss on sound readings is not finite, or not below half of what it was before training",
          .opt_out = ".clip_norm = off",
          .give_up = [](train::TrainerOptions& options) { options.clip_norm = train::off; },
          .summary_line = "clip",
          .run = run_m3};
}

Row m8() {
  return {.id = "M8",
          .mistake = "NaN is not handled",
          .wrong_way = "one pixel of one digit is NaN, and the loop trains on",
          .criterion = "a weight is not finite after training, or the accuracy is below 90 %",
          .opt_out = ".guards = {.non_finite = off}",
          .give_up = [](train::TrainerOptions& options) { options.guards.non_finite = train::off; },
          .summary_line = "guards.non_finite",
          .run = run_m8};
}

}  // namespace gallery
