// O1, O2 and O4: a learning rate that is too high, too low, or stated for another batch size.
#include "pairs_o.h"
#include "tasks.h"

namespace gallery {
namespace {

using train::with;

// The loss on held-out digits before and after, and the course of the training losses.
struct Measured {
  double before, after;
  std::vector<double> losses;
};

// Both ways train with SGD and momentum 0.9: only the rate is chosen in another way.
constexpr optim::SGDOptions momentum{.momentum = 0.9};
nn::Sequential deep_model(std::uint64_t seed) { return mlp({64, 32, 32, 32, 10}, seed); }

Outcome too_high(std::uint64_t seed) {
  const Digits data = digits(seed);
  const auto judge = [](const Measured& m, const std::string& rate) {
    return Side{exceeds(m.after, m.before / 2), "lr " + rate + ": loss " + course(m.losses)};
  };
  const auto wrong = [&] {
    const nn::Sequential model = deep_model(seed);
    optim::SGD optimizer(optim::decay_groups(model.parameters(), 0.01), momentum);
    const double before = loss_on(data.test, model);
    const auto losses = bare_loop(model, data.train, optimizer, optim::constant(1), {.epochs = 10, .seed = seed});
    return judge({before, loss_on(data.test, model), losses}, "1");
  };
  const auto handrail = [&] {
    nn::Sequential model = deep_model(seed);
    auto options = defaults(10, seed);
    options.optimizer = with<optim::SGD>(momentum);
    const double before = loss_on(data.test, model);
    const Fit run = fit(model, data.train, options);
    return judge({before, loss_on(data.test, model), run.losses}, text(run.result.lr) + " found");
  };
  return {wrong(), handrail()};
}

Outcome too_low(std::uint64_t seed) {
  const Digits data = digits(seed);
  const auto judge = [](double before, double after, const std::string& rate) {
    return Side{exceeds(after, 0.95 * before), "lr " + rate + ": loss " + text(before) + " -> " + text(after)};
  };
  const auto wrong = [&] {
    const nn::Sequential model = mlp({64, 32, 10}, seed);
    optim::AdamW optimizer(optim::decay_groups(model.parameters(), 0.01));
    const double before = loss_on(data.train, model);
    bare_loop(model, data.train, optimizer, optim::constant(1e-6), {.epochs = 20, .seed = seed});
    return judge(before, loss_on(data.train, model), "1e-6, 900 steps");
  };
  const auto handrail = [&] {
    nn::Sequential model = mlp({64, 32, 10}, seed);
    const double before = loss_on(data.train, model);
    const Fit run = fit(model, data.train, defaults(20, seed));
    return judge(before, loss_on(data.train, model), text(run.result.lr) + " found");
  };
  return {wrong(), handrail()};
}

// One recipe for batches of 32, carried over to batches of 256: SGD at 0.03 for 20 epochs.
Outcome not_scaled(std::uint64_t seed) {
  const Digits data = digits(seed);
  const auto run = [&](Index batch_size, train::LrScaling scaling) {
    nn::Sequential model = mlp({64, 32, 10}, seed);
    auto options = defaults(20, seed);
    options.batch_size = batch_size;
    options.optimizer = with<optim::SGD>();
    options.lr = 0.03;
    options.lr_scaling = scaling;
    const Fit result = fit(model, data.train, options);
    return std::pair{result.result.lr, loss_on(data.train, model)};
  };
  const double reference = run(32, train::LrScaling::automatic).second;
  const auto judge = [&](const std::pair<double, double>& m) {
    return Side{exceeds(m.second, 1.5 * reference),
                "lr " + text(m.first) + " at batch 256: loss " + text(m.second) + ", at batch 32: " + text(reference)};
  };
  return {judge(run(256, train::LrScaling::none)), judge(run(256, train::LrScaling::automatic))};
}

}  // namespace

Row o1() {
  return {.id = "O1",
          .mistake = "learning rate too high",
          .wrong_way = "a loop of one's own, SGD with momentum 0.9 at a constant rate of 1",
          .criterion = "after training the loss on held-out digits is not finite, or above half of what it was before",
          .opt_out = ".lr = 1",
          .give_up = [](train::TrainerOptions& options) { options.lr = 1; },
          .summary_line = "lr finder",
          .run = too_high};
}

Row o2() {
  return {.id = "O2",
          .mistake = "learning rate too low",
          .wrong_way = "a loop of one's own, AdamW at a constant rate of 1e-6",
          .criterion = "20 epochs brought the loss on the training digits down by less than 5 %",
          .opt_out = ".lr = 1e-6",
          .give_up = [](train::TrainerOptions& options) { options.lr = 1e-6; },
          .summary_line = "lr finder",
          .run = too_low};
}

Row o4() {
  return {.id = "O4",
          .mistake = "rate not scaled with the batch size",
          .wrong_way = "a rate stated for batches of 32, taken as it is for batches of 256",
          .criterion = "after as many epochs the training loss is more than 1.5 times that of batches of 32",
          .opt_out = ".lr_scaling = LrScaling::none",
          .give_up = [](train::TrainerOptions& options) { options.lr_scaling = train::LrScaling::none; },
          .summary_line = "lr scaling",
          .run = not_scaled};
}

}  // namespace gallery
