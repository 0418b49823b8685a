// How a noisy loss is read: M4 and M9.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "monitoring_tasks.h"
#include "pairs_m.h"

namespace gallery {
namespace {

struct Smoothed {
  double loss, average;
};

// An average lies between the least and the largest of what it averages. Returns how far it is outside at worst, as
// a share of the value it should be at most or at least.
double worst_outside(std::span<const Smoothed> series) {
  double low = series.front().loss, high = low, worst = 0;
  for (const auto& [loss, average] : series) {
    low = std::min(low, loss);
    high = std::max(high, loss);
    worst = std::max({worst, average / high - 1, 1 - average / low});
  }
  return worst;
}

bool is_outside(std::span<const Smoothed> series) { return exceeds(worst_outside(series), 1e-6); }

// As in the list: it starts at the first loss, and is divided by 1 - beta^t, which is for one that starts at zero.
std::vector<Smoothed> documented_average(std::span<const double> losses) {
  constexpr double beta = 0.99;
  std::vector<Smoothed> series;
  double ema = losses.front(), power = 1;
  for (const double loss : losses) {
    ema = beta * ema + (1 - beta) * loss;
    power *= beta;
    series.push_back({loss, ema / (1 - power)});
  }
  return series;
}

// The other usual one starts at zero, and is not divided by anything.
std::vector<Smoothed> undivided_average(std::span<const double> losses) {
  constexpr double beta = 0.99;
  std::vector<Smoothed> series;
  double ema = 0;
  for (const double loss : losses) {
    ema = beta * ema + (1 - beta) * loss;
    series.push_back({loss, ema});
  }
  return series;
}

// A loss that is 2 whatever the weights are, and a model that learns.
Outcome run_m4(std::uint64_t seed) {
  constexpr Index epochs = 4;
  constexpr double level = 2;
  const auto constant_loss = [](const Tensor& predictions, const Tensor&) {
    return affine(mean(predictions), 0, level);
  };
  const Digits data = digits(seed);
  Outcome outcome;
  {
    auto model = mlp({64, 32, 10}, seed);
    optim::AdamW optimizer(one_group(model));
    std::vector<double> losses;
    WatchedLoop loop{.epochs = epochs, .seed = seed};
    loop.after_step = [&](std::int64_t, double loss) {
      losses.push_back(loss);
      return true;
    };
    loop.run(model, data.train, optimizer, optim::constant(1e-3));
    const std::vector<double> constant(losses.size(), level);
    const auto a = documented_average(constant), b = documented_average(losses), c = undivided_average(constant);
    outcome.wrong = {.failed = is_outside(a) && is_outside(b) && is_outside(c) && is_outside(undivided_average(losses)),
                     .evidence = concat("2 -> ", text(a.front().average), ", loss ", text(losses.front()), " -> ",
                                        text(b.front().average), "; undivided: 2 -> ", text(c.front().average))};
  }
  {
    const auto series = [&](const train::Loss& loss) {
      auto model = mlp({64, 32, 10}, seed);
      const auto log = std::make_shared<train::MemorySink>();
      train::Trainer{model, loss, defaults(epochs, seed, log)}.fit(data.train, data.test);
      std::vector<Smoothed> smoothed;
      for (const train::StepStats& step : log->steps) smoothed.push_back({step.loss, step.ema_loss});
      return smoothed;
    };
    const auto a = series({constant_loss, train::Task::multiclass}), b = series(cross_entropy);
    outcome.handrail = {.failed = is_outside(a) || is_outside(b),
                        .evidence = concat("2 -> ", text(a.front().average), ", loss ", text(b.front().loss), " -> ",
                                           text(b.front().average))};
  }
  return outcome;
}

// When a plateau was first called, and the loss on all samples then and at the end.
struct Call {
  std::optional<std::int64_t> step = {};
  double then = 0, end = 0;
};

// Twice the same training: of the digits, where the loss falls to the end, and with random labels.
Side judge_m9(const Call& improving, const Call& flat) {
  const double fell = improving.step ? 1 - improving.end / improving.then : 0;
  const auto when = [](const Call& call) { return call.step ? concat("at ", *call.step) : std::string("never"); };
  return {.failed = (improving.step && fell > 0.1) || !flat.step,
          .evidence = concat("called ", when(improving),
                             improving.step ? concat(", then ", percent(fell), " down") : "", "; random labels: ", when(flat))};
}

// The documented rule: the mean of the last 100 losses is not lower by 0.001 than that of the 100 before.
bool documented_plateau(std::span<const double> losses) {
  constexpr std::size_t window = 100;
  if (losses.size() < 2 * window) return false;
  const auto mean = [](std::span<const double> part) { return std::reduce(part.begin(), part.end()) / window; };
  const double now = mean(losses.last(window)), before = mean(losses.last(2 * window).first(window));
  return (before - now) / before < 0.001;
}

train::TensorDataset by_lot(const train::TensorDataset& data, std::uint64_t seed) {
  Rng rng({.seed = seed, .stream = Stream::user});
  const Tensor targets(data.targets().shape());
  for (Scalar& target : targets.mutable_span()) target = static_cast<Scalar>(rng.below(10));
  return {data.inputs(), targets};
}

constexpr double m9_lr = 0.002;
constexpr Index m9_batch = 8, m9_epochs = 20;

Call by_windows(const train::TensorDataset& data, std::uint64_t seed) {
  auto model = mlp({64, 10}, seed);
  optim::SGD optimizer(one_group(model));
  std::vector<double> losses;
  Call call;
  WatchedLoop loop{.epochs = m9_epochs, .batch_size = m9_batch, .seed = seed};
  loop.after_step = [&](std::int64_t step, double loss) {
    losses.push_back(loss);
    if (call.step || step % 100 != 0 || !documented_plateau(losses)) return true;
    call.step = step;
    call.then = loss_on(data, model);
    return true;
  };
  loop.run(model, data, optimizer, optim::constant(m9_lr));
  call.end = loss_on(data, model);
  return call;
}

Call by_default(const train::TensorDataset& data, const train::TensorDataset& validation, std::uint64_t seed) {
  struct Listener : train::LogSink {
    explicit Listener(const train::TensorDataset& set, const nn::Layer& trained) : data(set), model(trained) {}
    void anomaly(const train::Anomaly& anomaly) override {
      if (anomaly.name != "plateau" || call.step) return;
      call.step = anomaly.step;
      call.then = loss_on(data, model);
    }
    const train::TensorDataset& data;
    const nn::Layer& model;
    Call call;
  };
  auto model = mlp({64, 10}, seed);
  const auto listener = std::make_shared<Listener>(data, model);
  auto options = defaults(m9_epochs, seed, listener);
  // The same training: its batches, its rate, to its end.
  options.batch_size = m9_batch;
  options.optimizer = train::with<optim::SGD>();
  options.lr = m9_lr;
  options.lr_scaling = train::LrScaling::none;
  options.decay = train::Decay::constant;
  options.patience = train::off;
  train::Trainer{model, cross_entropy, options}.fit(data, validation);
  listener->call.end = loss_on(data, model);
  return listener->call;
}

Outcome run_m9(std::uint64_t seed) {
  const Digits data = digits(seed);
  const train::TensorDataset lots = by_lot(data.train, seed);
  return {
      .wrong = judge_m9(by_windows(data.train, seed), by_windows(lots, seed)),
      .handrail = judge_m9(by_default(data.train, data.test, seed), by_default(lots, by_lot(data.test, seed), seed))};
}

}  // namespace

Row m4() {
  return {.id = "M4",
          .mistake = "the loss is smoothed wrongly",
          .wrong_way = "an average that starts at the first loss and is then divided by 1 - 0.99^t",
          .criterion = "the average is below the least or above the largest loss so far, also of a constant loss",
          .opt_out = ".ema_beta = off",
          .give_up = [](train::TrainerOptions& options) { options.ema_beta = train::off; },
          .summary_line = "smoothing",
          .run = run_m4};
}

Row m9() {
  return {
      .id = "M9",
      .mistake = "noise is taken for a plateau",
      .wrong_way = "two windows of 100 losses are compared: less than 0.1 % lower is a plateau",
      .criterion = "a plateau is called before the loss falls by another 10 %, or none when there is nothing to learn",
      .opt_out = ".guards = {.plateau = off}",
      .give_up = [](train::TrainerOptions& options) { options.guards.plateau = train::off; },
      .summary_line = "guards.plateau",
      .run = run_m9};
}

}  // namespace gallery
