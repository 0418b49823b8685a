// O7 and O8: a rate that rises too fast, or never falls.
#include <cmath>

#include "pairs_o.h"
#include "tasks.h"

namespace gallery {
namespace {

using train::with;

// Weights twice as large as He's: the loss is steepest at the start.
nn::Sequential steep_model(std::uint64_t seed) {
  nn::Sequential model = mlp({64, 64, 64, 64, 64, 64, 64, 10}, seed);
  Rng rng({.seed = seed, .stream = Stream::user});
  for (const Parameter& p : model.parameters())
    if (p.role == Role::weight) nn::init::kaiming_uniform(p.tensor, rng, 2 * nn::init::relu_gain);
  return model;
}

Outcome short_warmup(std::uint64_t seed) {
  constexpr Index epochs = 20;
  constexpr double rate = 0.15;
  const Digits data = digits(seed);
  const std::int64_t planned = epochs * ((data.train.size() + 31) / 32);
  const double before = loss_on(data.test, steep_model(seed));
  struct Measured {
    double after;
    std::vector<double> losses;
  };
  const auto failed = [&](const Measured& m) { return exceeds(m.after, before / 2); };
  const auto by_hand = [&](std::int64_t warmup_steps) {
    const nn::Sequential model = steep_model(seed);
    optim::SGD optimizer(optim::decay_groups(model.parameters(), 0.01));
    const auto schedule = optim::warmup_cosine({.peak = rate, .warmup_steps = warmup_steps, .total_steps = planned});
    const auto losses = bare_loop(model, data.train, optimizer, schedule, {.epochs = epochs, .seed = seed});
    return Measured{loss_on(data.test, model), losses};
  };
  // The same loop with a warmup of 5 % tells that it is the warmup that matters.
  const auto wrong = [&] {
    const Measured hasty = by_hand(10), patient = by_hand(planned / 20);
    return Side{failed(hasty), concat("10 steps: ", course(hasty.losses), "; 5 %: ", text(patient.losses.back()))};
  };
  const auto handrail = [&] {
    nn::Sequential model = steep_model(seed);
    auto options = defaults(epochs, seed);
    options.optimizer = with<optim::SGD>();
    options.lr = rate;
    const Fit run = fit(model, data.train, options);
    const Measured measured{loss_on(data.test, model), run.losses};
    return Side{failed(measured), "5 % of the steps: " + course(run.losses)};
  };
  return {wrong(), handrail()};
}

// y = w . x + noise of variance 1, or the noiseless truth. x: [n, 20].
train::TensorDataset noisy_line(Index n, double noise, std::uint64_t seed) {
  constexpr Index features = 20;
  Rng truth({.seed = seed, .stream = Stream::user, .position = 0});
  Rng rng({.seed = seed, .stream = Stream::user, .position = noise > 0 ? 1u : 2u});
  const Tensor w = normal({features, 1}, 0, 1, truth);
  const Tensor x = normal({n, features}, 0, 1, rng);
  return {x, matmul(x, w) + noise * normal({n, 1}, 0, 1, rng)};
}

Outcome no_decay(std::uint64_t seed) {
  const auto data = noisy_line(8000, 1, seed), truth = noisy_line(2000, 0, seed);
  const auto run = [&](train::Decay decay) {
    nn::Sequential model = mlp({20, 1}, seed);
    auto options = defaults(10, seed);
    options.decay = decay;
    const Fit result = fit(model, data, options, mse_loss);
    const double excess = loss_on(truth, model, mse_loss);
    return Side{exceeds(excess, 0.05), concat("peak lr ", text(result.result.lr), ": ", text(100 * excess),
                                              " % above the lowest loss possible")};
  };
  return {run(train::Decay::constant), run(train::Decay::cosine)};
}

}  // namespace

Row o7() {
  return {
      .id = "O7",
      .mistake = "warmup too short",
      .wrong_way =
          "a loop of one's own on a net that is steep at the start: a warmup of 10 steps of 900, SGD, peak rate 0.15",
      .criterion = "after training the loss on held-out digits is not finite, or above half of what it was before",
      .opt_out = ".check_warmup = off",
      .give_up = [](train::TrainerOptions& options) { options.check_warmup = train::off; },
      .summary_line = "check_warmup",
      .run = short_warmup};
}

Row o8() {
  return {.id = "O8",
          .mistake = "learning rate never lowered",
          .wrong_way = "the Trainer at a constant rate after the warmup, on a line with noise",
          .criterion = "after training the expected loss is more than 5 % above the lowest possible, that of the noise",
          .opt_out = ".decay = Decay::constant",
          .give_up = [](train::TrainerOptions& options) { options.decay = train::Decay::constant; },
          .summary_line = "lr decay",
          .run = no_decay};
}

}  // namespace gallery
