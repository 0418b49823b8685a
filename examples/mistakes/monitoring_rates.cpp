// The learning rate: read off wrongly, warmed up wrongly, changed and not looked at again: M7, M10 and M12.
#include <algorithm>
#include <cmath>

#include "monitoring_tasks.h"
#include "pairs_m.h"

namespace gallery {
namespace {

constexpr optim::SGDOptions momentum{.momentum = 0.9};

nn::Sequential m7_model(std::uint64_t seed) { return mlp({64, 64, 64, 64, 10}, seed); }

// The sweep as it is usually written (Gugger 2018, "How do you find a good learning rate"): the rate grows at every
// step until the loss is four times its lowest. The loss is averaged with 0.98, so the curve is some 50 steps late.
double rate_at_minimum(const Digits& data, std::uint64_t seed) {
  constexpr double first = 1e-7, last = 10, beta = 0.98;
  constexpr std::int64_t steps = 200;
  const auto rate = [](std::int64_t step) {
    return first * std::pow(last / first, static_cast<double>(step - 1) / static_cast<double>(steps - 1));
  };
  auto model = m7_model(seed);
  optim::SGD optimizer(one_group(model), momentum);
  double average = 0, lowest = 0, best = first;
  WatchedLoop loop{.epochs = steps, .seed = seed};
  loop.after_step = [&](std::int64_t step, double loss) {
    average = beta * average + (1 - beta) * loss;
    const double smoothed = average / (1 - std::pow(beta, static_cast<double>(step)));
    if (step == 1 || smoothed < lowest) {
      lowest = smoothed;
      best = rate(step);
    }
    return smoothed <= 4 * lowest && step < steps;
  };
  loop.run(model, data.train, optimizer, rate);
  return best;
}

Outcome run_m7(std::uint64_t seed) {
  constexpr Index epochs = 10;
  const Digits data = digits(seed);
  const auto judge = [&](const nn::Sequential& model, double lr) {
    const double loss = loss_on(data.test, model);
    return Side{.failed = exceeds(loss, 1),
                .evidence = concat("lr ", text(lr), ", loss ", text(loss), ", accuracy ",
                                   percent(accuracy_on(data.test, model)))};
  };
  Outcome outcome;
  {
    const double lr = rate_at_minimum(data, seed);
    auto model = m7_model(seed);
    optim::SGD optimizer(one_group(model), momentum);
    WatchedLoop{.epochs = epochs, .seed = seed}.run(model, data.train, optimizer, optim::constant(lr));
    outcome.wrong = judge(model, lr);
  }
  {
    auto model = m7_model(seed);
    auto options = defaults(epochs, seed);
    options.optimizer = train::with<optim::SGD>(momentum);
    const auto result = train::Trainer{model, cross_entropy, options}.fit(data.train);
    outcome.handrail = judge(model, result.lr);
  }
  return outcome;
}

constexpr std::int64_t warmup_steps = 20;  // 5 % of the steps of 9 epochs

struct WarmupSeen {
  double first_move = 0;    // the largest change of a weight by the first update
  double largest_rise = 0;  // of the rate, from 0 before the first update
  double peak = 0;
};

double largest_change(const train::NamedTensors& before, const nn::Module& model) {
  double largest = 0;
  for (const Parameter& p : model.parameters()) {
    const auto was = before.at(p.name).span(), is = p.tensor.span();
    for (std::size_t i = 0; i < is.size(); ++i)
      largest = std::max(largest, static_cast<double>(std::abs(is[i] - was[i])));
  }
  return largest;
}

bool wastes_or_jumps(const WarmupSeen& seen) {
  return seen.first_move == 0 || seen.largest_rise > 1.001 * seen.peak / static_cast<double>(warmup_steps);
}

std::string rise(const WarmupSeen& seen) { return concat(text(100 * seen.largest_rise / seen.peak), " % of the peak"); }

WarmupSeen warm_up(const Digits& data, std::uint64_t seed, const optim::Schedule& schedule, double peak) {
  auto model = mlp({64, 32, 10}, seed);
  const auto before = train::capture(model).parameters;
  optim::AdamW optimizer(one_group(model));
  WarmupSeen seen{.peak = peak};
  double rate = 0;
  WatchedLoop loop{.epochs = 1, .seed = seed};
  loop.after_step = [&](std::int64_t step, double) {
    if (step == 1) seen.first_move = largest_change(before, model);
    seen.largest_rise = std::max(seen.largest_rise, schedule(step) - rate);
    rate = schedule(step);
    return step <= warmup_steps;
  };
  loop.run(model, data.train, optimizer, schedule);
  return seen;
}

struct WarmupWatcher : train::Trainer {
  using Trainer::Trainer;
  void on_step_start(std::int64_t step) override {
    if (step == 1) before_ = train::capture(model()).parameters;
  }
  void on_step_end(const train::StepStats& step) override {
    if (step.step == 1) seen.first_move = largest_change(before_, model());
    seen.largest_rise = std::max(seen.largest_rise, step.lr - rate_);
    rate_ = step.lr;
    seen.peak = std::max(seen.peak, step.lr);
  }

  WarmupSeen seen;

 private:
  train::NamedTensors before_;
  double rate_ = 0;
};

Outcome run_m10(std::uint64_t seed) {
  constexpr Index epochs = 9;
  constexpr double peak = 1e-3;
  const Digits data = digits(seed);
  const auto share = [](std::int64_t step) { return std::min(1.0, static_cast<double>(step - 1) / warmup_steps); };
  const WarmupSeen from_zero = warm_up(
      data, seed, [&](std::int64_t step) { return peak * share(step); }, peak);
  const WarmupSeen from_tenth = warm_up(
      data, seed, [&](std::int64_t step) { return peak * (0.1 + 0.9 * share(step)); }, peak);
  auto model = mlp({64, 32, 10}, seed);
  WarmupWatcher trainer{model, cross_entropy, defaults(epochs, seed)};
  trainer.fit(data.train, data.test);
  return {.wrong = {.failed = wastes_or_jumps(from_zero) && wastes_or_jumps(from_tenth),
                    .evidence = concat("first update ", text(from_zero.first_move), "; or the rate jumps by ",
                                       rise(from_tenth))},
          .handrail = {.failed = wastes_or_jumps(trainer.seen),
                       .evidence = concat("first update ", text(trainer.seen.first_move), ", the rate rises by ",
                                          rise(trainer.seen))}};
}

Outcome run_m12(std::uint64_t seed) {
  constexpr Index epochs = 3;
  const Digits data = digits(seed);
  auto options = defaults(epochs, seed);
  options.optimizer = train::with<optim::SGD>();
  options.lr = 0.05;
  auto model = mlp({64, 32, 10}, seed);
  train::Trainer trainer{model, cross_entropy, options};
  trainer.fit(data.train, data.test);
  const train::ModelState start = train::capture(model);
  const auto goes_on_with = [&](const train::TrainerOptions& changed) {
    train::restore(model, start.parameters, start.buffers);
    train::Trainer{model, cross_entropy, changed}.fit(data.train, data.test);
    return loss_on(data.test, model);
  };
  const double unchanged = goes_on_with(options);
  const auto side = [&](const train::TrainerOptions& changed, const std::string& what) {
    const double loss = goes_on_with(changed);
    return Side{.failed = exceeds(loss, 1.05 * unchanged),
                .evidence = concat(what, ": loss ", text(loss), " instead of ", text(unchanged))};
  };

  auto by_hand = options;
  train::fixes::lower_lr().change(by_hand);
  Outcome outcome{.wrong = side(by_hand, train::fixes::lower_lr().name), .handrail = {}};
  train::restore(model, start.parameters, start.buffers);
  const auto tried = trainer.try_fix(data.train, data.test, {train::fixes::lower_lr(), train::fixes::higher_lr()});
  outcome.handrail = side(trainer.options(), concat("of lr/10 and lr*10 kept '", tried.kept, "'"));
  return outcome;
}

}  // namespace

Row m7() {
  return {.id = "M7",
          .mistake = "the curve of the learning rate finder is misread",
          .wrong_way = "SGD with momentum at the rate where the curve, averaged with 0.98, is lowest",
          .criterion = "the loss on the test digits is not finite or above 1",
          .opt_out = ".lr = 0.01, say",
          .give_up = [](train::TrainerOptions& options) { options.lr = 0.01; },
          .summary_line = "lr finder",
          .run = run_m7};
}

Row m10() {
  return {.id = "M10",
          .mistake = "the warmup is off by one, or jumps",
          .wrong_way = "peak * k / 20 with k from 0; or from a tenth of the peak",
          .criterion = "the first update moves no weight, or the rate rises by more than peak / 20 at once",
          .opt_out = ".warmup = off",
          .give_up = [](train::TrainerOptions& options) { options.warmup = train::off; },
          .summary_line = "warmup",
          .run = run_m10};
}

Row m12() {
  return {.id = "M12",
          .mistake = "a fix is applied and never looked at again",
          .wrong_way = "the rate is lowered to a tenth, and training goes on",
          .criterion = "the loss on the test digits is 5 % above that of going on unchanged",
          .opt_out = ".verify_fixes = off",
          .give_up = [](train::TrainerOptions& options) { options.verify_fixes = train::off; },
          .summary_line = "fixes",
          .run = run_m12};
}

}  // namespace gallery
