// What nobody sees who does not look, or looks too rarely, or at the wrong figure: M1, M2 and M11.
#include <algorithm>
#include <limits>

#include "monitoring_tasks.h"
#include "pairs_m.h"

namespace gallery {
namespace {

// A detach() left over from debugging cuts the hidden layer off. What is left, a linear model on random features,
// learns the digits well enough for nobody to suspect anything.
struct CutOff : nn::Layer {
  explicit CutOff(Rng& rng)
      : hidden(add("hidden", nn::Linear{64, 128, rng})), out(add("out", nn::Linear{128, 10, rng})) {}
  Tensor forward(const Tensor& x) const override { return out(relu(hidden(x)).detach()); }

  nn::Linear& hidden;
  nn::Linear& out;
};

Outcome run_m1(std::uint64_t seed) {
  constexpr Index epochs = 10;
  const Digits data = digits(seed);
  const auto side = [&](const auto& train_it) {
    Rng rng(seed);
    CutOff model(rng);
    const Tensor before = model.hidden.weight.clone();
    const auto log = std::make_shared<train::MemorySink>();
    train_it(model, log);
    const bool trained = !std::ranges::equal(model.hidden.weight.span(), before.span());
    const auto* found = find(log->anomalies, "unreached", "hidden.weight");
    return Side{.failed = !trained && (!found || log->steps.empty()),
                .evidence = concat("accuracy ", text(accuracy_on(data.test, model)), ", ", log->steps.size(),
                                   " steps on record, ", found ? "named: hidden" : "nothing named")};
  };
  return {.wrong = side([&](CutOff& model, const auto&) {
            optim::AdamW optimizer(one_group(model));
            WatchedLoop{.epochs = epochs, .seed = seed}.run(model, data.train, optimizer, optim::constant(1e-2));
          }),
          .handrail = side([&](CutOff& model, const auto& log) {
            train::Trainer{model, cross_entropy, defaults(epochs, seed, log)}.fit(data.train, data.test);
          })};
}

// The inputs of one batch arrive in another unit.
constexpr std::int64_t bad_step = 137;

Tensor in_another_unit(const Tensor& inputs) { return inputs * 20.0; }

struct OneBadBatch : train::Trainer {
  using Trainer::Trainer;
  void on_step_start(std::int64_t step) override { step_ = step; }
  train::StepOutput training_step(const train::Batch& batch) override {
    if (step_ != bad_step) return Trainer::training_step(batch);
    return Trainer::training_step({.inputs = in_another_unit(batch.inputs), .targets = batch.targets});
  }

 private:
  std::int64_t step_ = 0;
};

// noticed: the step that something was named at, 0 for none.
Side judge_m2(double spike, std::int64_t noticed, std::int64_t steps) {
  return {.failed = noticed < bad_step || noticed > bad_step + 100,
          .evidence = concat("loss ", text(spike), " at step ", bad_step, ", ",
                             noticed == 0 ? concat("not seen in ", steps) : concat("named at step ", noticed))};
}

// Every 10,000th loss is held against the one seen before.
Side rarely(std::uint64_t seed, const Readings& data) {
  constexpr std::int64_t every = 10'000;
  auto model = mlp({4, 16, 1}, seed);
  optim::AdamW optimizer(one_group(model));
  double spike = 0, last = std::numeric_limits<double>::infinity();
  std::int64_t noticed = 0, steps = 0;
  WatchedLoop loop{.epochs = every, .seed = seed, .loss = mse_loss};
  loop.before_step = [](std::int64_t step, const train::Batch& batch) {
    if (step == bad_step) std::ranges::copy(in_another_unit(batch.inputs).span(), batch.inputs.mutable_data());
  };
  loop.after_step = [&](std::int64_t step, double loss) {
    steps = step;
    if (step == bad_step) spike = loss;
    if (step % every != 0) return true;
    if (loss > 10 * last) noticed = step;
    last = loss;
    return step < every;
  };
  loop.run(model, data.train, optimizer, optim::constant(1e-2));
  return judge_m2(spike, noticed, steps);
}

Side every_step(std::uint64_t seed, const Readings& data) {
  constexpr Index epochs = 10;
  auto model = mlp({4, 16, 1}, seed);
  const auto log = std::make_shared<train::MemorySink>();
  OneBadBatch trainer{model, mse_loss, defaults(epochs, seed, log)};
  const auto result = trainer.fit(data.train, data.test);
  double spike = 0;
  for (const train::StepStats& step : log->steps)
    if (step.step == bad_step) spike = step.loss;
  const auto* found = find(result.anomalies, "spike");
  return judge_m2(spike, found ? found->step : 0, result.steps);
}

// Twelve layers with sigmoids: each takes most of the gradient of those before it.
nn::Sequential deep_sigmoid(std::uint64_t seed) {
  Rng rng(seed);
  nn::Sequential model{nn::Linear{64, 32, rng}};
  for (int layer = 0; layer < 10; ++layer) {
    model.push_back(nn::Sigmoid{});
    model.push_back(nn::Linear{32, 32, rng});
  }
  model.push_back(nn::Sigmoid{});
  model.push_back(nn::Linear{32, 10, rng});
  return model;
}

Side judge_m11(double least_global, double most_first, bool named) {
  return {.failed = most_first < 1e-7 && !named,
          .evidence = concat("norm ", text(least_global), " at least, layer 0 ", text(most_first), " at most, ",
                             named ? "named" : "unnamed")};
}

Outcome run_m11(std::uint64_t seed) {
  constexpr Index epochs = 2;
  const Digits data = digits(seed);
  Outcome outcome;
  {
    auto model = deep_sigmoid(seed);
    optim::AdamW optimizer(one_group(model));
    double least = std::numeric_limits<double>::infinity(), first = 0;
    bool named = false;
    WatchedLoop loop{.epochs = epochs, .seed = seed};
    loop.after_step = [&](std::int64_t, double) {
      const double norm = optimizer.grad_norm();
      named = named || exceeds(norm, 100) || norm < 1e-7;
      least = std::min(least, norm);
      first = std::max(first, optimizer.layer_norms().front());
      return true;
    };
    loop.run(model, data.train, optimizer, optim::constant(1e-3));
    outcome.wrong = judge_m11(least, first, named);
  }
  {
    struct Norms : train::LogSink {
      void step_end(const train::StepStats& step) override {
        least = std::min(least, step.grad_norm);
        first = std::max(first, step.layer_norms.front());
      }
      double least = std::numeric_limits<double>::infinity(), first = 0;
    };
    auto model = deep_sigmoid(seed);
    const auto norms = std::make_shared<Norms>();
    const auto result = train::Trainer{model, cross_entropy, defaults(epochs, seed, norms)}.fit(data.train, data.test);
    outcome.handrail =
        judge_m11(norms->least, norms->first, find(result.anomalies, "vanishing_gradient", "layer '0'") != nullptr);
  }
  return outcome;
}

}  // namespace

Row m1() {
  return {.id = "M1",
          .mistake = "no monitoring",
          .wrong_way = "a detach() cuts a layer off, and the loop keeps no record of anything",
          .criterion = "a layer was never trained, and what is on record at the end does not say so",
          .opt_out = ".sinks = {}",
          .give_up = [](train::TrainerOptions& options) { options.sinks = {}; },
          .summary_line = "log",
          .run = run_m1};
}

Row m2() {
  return {.id = "M2",
          .mistake = "the loss is looked at too rarely",
          .wrong_way = "one batch is 20 times too large, and the loss is looked at every 10,000 steps",
          .criterion = "that batch is not noticed within 100 steps",
          .opt_out = ".guards = {.spike = off}",
          .give_up = [](train::TrainerOptions& options) { options.guards.spike = train::off; },
          .summary_line = "guards.spike",
          .run =
              [](std::uint64_t seed) {
                const Readings data = readings(seed, 0);
                return Outcome{.wrong = rarely(seed, data), .handrail = every_step(seed, data)};
              }};
}

Row m11() {
  return {.id = "M11",
          .mistake = "only the global gradient norm is watched",
          .wrong_way = "an alarm when it is below 1e-7 or above 100, on twelve layers with sigmoids",
          .criterion = "the gradient of the first layer stays below 1e-7, and it is not named",
          .opt_out = ".guards = {.layers = off}",
          .give_up = [](train::TrainerOptions& options) { options.guards.layers = train::off; },
          .summary_line = "guards.layers",
          .run = run_m11};
}

}  // namespace gallery
