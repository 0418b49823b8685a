// How often guards raise a false alarm and how often they see what is there: the tables of docs/guards.md,
// from real losses of a bare training loop and from simulated ones. About two minutes.
// usage: guard_table [spike] [plateau] [slow] [time]; none: all of them
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/ops/ops.h>
#include <handrail/core/random.h>
#include <handrail/core/system/parallel.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/sequential.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/clip.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/data/table/table_encoder.h>
#include <handrail/train/data/idx.h>
#include <handrail/train/math/robust.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/guards/clip_guard.h>
#include <handrail/train/guards/layer_guard.h>
#include <handrail/train/guards/loss_guards.h>
#include <handrail/train/guards/overfitting_guard.h>
#include <handrail/train/guards/progress_guards.h>

#include "tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

using Losses = std::vector<double>;

// ---- Real losses

struct Curve {
  Losses losses;
  std::vector<double> concentrations;  // SampleLosses::concentration of each step
  std::vector<Index> samples;          // of the batches of an epoch
  std::int64_t steps() const { return std::ssize(losses); }
};

struct Task {
  std::string name;
  std::unique_ptr<Dataset> data;
  std::vector<Index> widths;
  bool classes;
};

Task digits() {
  auto data = bench::digits();
  return {"digits", std::make_unique<ByteDataset>(std::move(data)), {64, 64, 10}, true};
}

Task iris() {
  auto data = load_csv(EXAMPLES_DATA "iris.csv", {.targets = {"species"}}).data;
  return {"iris", std::make_unique<TensorDataset>(std::move(data)), {4, 32, 3}, true};
}

// Two spirals of 1,000 points each that can be told apart without a mistake: soon nearly memorised.
Task spirals() {
  constexpr Index points = 1000;
  Rng rng(1);
  const Tensor inputs({2 * points, 2}), targets(Shape{2 * points});
  Scalar* xy = inputs.mutable_data();
  for (Index i = 0; i < 2 * points; ++i) {
    const Index rank = i / 2 + 1;
    const double arm = static_cast<double>(i % 2), radius = static_cast<double>(rank) / points;
    const double turn = std::numbers::pi * arm + 6 * radius + 0.1 * rng.normal();
    *xy++ = static_cast<Scalar>(radius * std::cos(turn));
    *xy++ = static_cast<Scalar>(radius * std::sin(turn));
    targets.mutable_data()[i] = static_cast<Scalar>(arm);
  }
  return {"spirals", std::make_unique<TensorDataset>(inputs, targets), {2, 32, 32, 2}, true};
}

// A smooth function of three inputs with noise of 0.1; heavy-tailed when the inputs are normal, as its
// largest samples then cost a hundred times the usual ones.
Task regression(bool heavy_tailed) {
  constexpr Index samples = 2000;
  Rng rng(2);
  const Tensor inputs({samples, 3}), targets({samples, 1});
  for (Index i = 0; i < samples; ++i) {
    Scalar* row = inputs.mutable_data() + 3 * i;
    double x[3];
    for (int j = 0; j < 3; ++j) {
      x[j] = heavy_tailed ? rng.normal() : rng.uniform(-1, 1);
      row[j] = static_cast<Scalar>(x[j]);
    }
    targets.mutable_data()[i] = static_cast<Scalar>(std::sin(2 * x[0]) + x[0] * x[1] - 0.5 * x[2] + 0.1 * rng.normal());
  }
  return {heavy_tailed ? "regression, heavy tails" : "regression",
          std::make_unique<TensorDataset>(inputs, targets),
          {3, 32, 32, 1},
          false};
}

nn::Sequential mlp(const std::vector<Index>& widths, Rng& rng) {
  nn::Sequential model(nn::Linear(widths[0], widths[1], rng));
  for (std::size_t l = 1; l + 1 < widths.size(); ++l) {
    model.push_back(nn::Tanh());
    model.push_back(nn::Linear(widths[l], widths[l + 1], rng));
  }
  return model;
}

// AdamW in batches of 32, clip at 1, warmup of 5 % and cosine.
Curve train_on(const Task& task, std::int64_t steps, double lr, std::uint64_t seed) {
  Rng rng(seed);
  const nn::Sequential model = mlp(task.widths, rng);
  Loader loader(
      *task.data,
      {.batch_size = 32, .shuffle_seed = seed, .normalization = task.data->fit_normalization(all_rows(*task.data))});
  optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.01)};
  const auto schedule = optim::warmup_cosine({.peak = lr, .warmup_steps = steps / 20, .total_steps = steps});
  Curve curve;
  loader.start_epoch(1);
  for (Index i = 0; i < loader.size(); ++i) curve.samples.push_back(std::ssize(loader.rows(i)));
  for (std::int64_t step = 1; step <= steps; ++step) {
    const auto batch_number = static_cast<Index>((step - 1) % loader.size());
    if (batch_number == 0) loader.start_epoch(1 + (step - 1) / loader.size());
    const Batch batch = loader.batch(batch_number);
    optimizer.zero_grad();
    Tape tape;
    const Tensor outputs = model.forward(batch.inputs);
    const Tensor loss = task.classes ? cross_entropy(outputs, batch.targets) : mse_loss(outputs, batch.targets);
    tape.backward(loss);
    optimizer.step(schedule(step), optim::clip_scale(optimizer.grad_norm(), 1.0));
    curve.losses.push_back(static_cast<double>(loss.item()));
    const PredictedLosses samples(task.classes ? handrail::train::Task::multiclass : handrail::train::Task::regression,
                                  outputs, batch.targets);
    curve.concentrations.push_back(samples.concentration().value());
  }
  return curve;
}

// ---- Spikes

struct SpikeCount {
  std::int64_t steps = 0, alarms = 0, rollbacks = 0, planted = 0, caught = 0, jumps_caught = 0;
};

struct Known final : SampleLosses {
  std::optional<double> concentration() const override { return value; }
  double value = 0;
};

// Alarms on clean losses. Spikes are planted on a copy after every 50th step: 20 times the recent mean, of which each
// sample of the step has its share as before; and the same but at least three times the initial loss.
void count_spikes(const Curve& curve, SpikeRule rule, SpikeCount& count) {
  LossGuard guard(true, true, curve.steps() / 20, rule);
  StepStats stats{};
  for (const double loss : curve.losses) {
    ++stats.step;
    stats.samples = curve.samples[static_cast<std::size_t>(stats.step - 1) % curve.samples.size()];
    stats.loss = loss;
    Known samples;
    samples.value = curve.concentrations[static_cast<std::size_t>(stats.step - 1)];
    stats.sample_losses = &samples;
    if (const auto anomaly = guard.check_loss(stats)) {
      ++count.alarms;
      count.rollbacks += anomaly->action >= Action::rollback;
    }
    count.rollbacks += guard.accepted(stats).has_value();
    ++count.steps;
    if (stats.step % 50 != 0) continue;
    ++count.planted;
    SpikeDetector copy = guard.spikes();
    count.caught += copy.check(20 * copy.mean(), &samples);
    copy = guard.spikes();
    count.jumps_caught += copy.check(std::max(20 * copy.mean(), 3 * copy.initial().mean()), &samples);
  }
}

void spike_row(const Task& task, std::int64_t steps, int seeds, const std::vector<double>& rates) {
  SpikeCount counts[2];
  Losses ends;
  constexpr std::uint64_t first_seed = 101;  // the rule was chosen by looking at seeds 1 to 10
  for (std::uint64_t seed = first_seed; seed < first_seed + static_cast<std::uint64_t>(seeds); ++seed)
    for (const double lr : rates) {
      const Curve curve = train_on(task, steps, lr, seed);
      ends.insert(ends.end(), curve.losses.end() - 100, curve.losses.end());
      count_spikes(curve, SpikeRule::documented, counts[0]);
      count_spikes(curve, SpikeRule::robust, counts[1]);
    }
  std::printf("| %s, %d x %lld steps, lr", task.name.c_str(), seeds * static_cast<int>(rates.size()),
              static_cast<long long>(steps));
  for (const double lr : rates) std::printf(" %g", lr);
  std::printf(" | %.1e", median(ends));
  for (const SpikeCount& c : counts) {
    const auto share = [&](std::int64_t hits) {
      return 100 * static_cast<double>(hits) / static_cast<double>(c.planted);
    };
    std::printf(" | %lld (%lld) | %.0f %% | %.0f %%", static_cast<long long>(c.alarms),
                static_cast<long long>(c.rollbacks), share(c.caught), share(c.jumps_caught));
  }
  std::printf(" |\n");
  std::fflush(stdout);
}

void spike_table() {
  std::printf(
      "\n| losses | final | documented: false alarms (rollbacks) | 20 x mean | at least 3 x initial | "
      "robust: false alarms (rollbacks) | 20 x mean | at least 3 x initial |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  spike_row(digits(), 3400, 10, {1e-3});
  spike_row(spirals(), 33'000, 1, {1e-3});
  spike_row(regression(false), 33'000, 1, {1e-3});
  const Task tasks[] = {digits(), spirals(), regression(false), regression(true), iris()};
  for (const Task& task : tasks)
    for (const std::int64_t steps : {3000, 30'000}) spike_row(task, steps, 5, {3e-4, 1e-3, 3e-3});
}

// ---- Simulated curves

// A level with noise of 5 % of it, an AR(1) process of that correlation.
Losses noisy(std::int64_t steps, double correlation, std::uint64_t seed, const std::function<double(double)>& level) {
  Rng rng(seed);
  Losses losses;
  double noise = rng.normal();
  for (std::int64_t i = 0; i < steps; ++i) {
    losses.push_back(level(static_cast<double>(i)) * (1 + 0.05 * noise));
    noise = correlation * noise + std::sqrt(1 - correlation * correlation) * rng.normal();
  }
  return losses;
}

bool reports(Guard& guard, const Losses& losses) {
  StepStats stats{};
  stats.lr = 1e-3;
  for (const double loss : losses) {
    ++stats.step;
    stats.loss = loss;
    if (guard.accepted(stats)) return true;
  }
  return false;
}

constexpr int runs = 400;
constexpr double correlations[] = {0, 0.5, 0.9};

void plateau_row(const char* name, const std::function<double(double)>& level) {
  constexpr std::int64_t steps = 5000;
  std::printf("| %s", name);
  for (const double correlation : correlations) {
    constexpr std::int64_t epochs[] = {50, 500, 1000};
    int documented = 0, called[std::size(epochs)] = {};
    for (int run = 0; run < runs; ++run) {
      const Losses losses = noisy(steps, correlation, static_cast<std::uint64_t>(run), level);
      PlateauGuard by_means(100, steps, PlateauRule::documented);
      documented += reports(by_means, losses);
      for (std::size_t e = 0; e < std::size(epochs); ++e) {
        PlateauGuard guard(epochs[e], steps);
        called[e] += reports(guard, losses);
      }
    }
    const auto share = [](int hits) { return 100.0 * hits / runs; };
    std::printf(" | %.1f", share(documented));
    for (const int hits : called) std::printf(" | %.1f", share(hits));
  }
  std::printf(" |\n");
  std::fflush(stdout);
}

void plateau_table() {
  std::printf(
      "\n| level | rho 0: documented | 50 | 500 | 1000 | rho 0.5: documented | 50 | 500 | 1000 | "
      "rho 0.9: documented | 50 | 500 | 1000 |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  plateau_row("flat", [](double) { return 1.0; });
  plateau_row("falls 1 % of the initial one per 100 steps", [](double i) { return 1 - 1e-4 * i; });
  plateau_row("falls 1 % of itself per 100 steps", [](double i) { return std::pow(0.99, i / 100); });
  plateau_row("halves, then flat from step 1000 or so", [](double i) { return 0.5 + 0.5 * std::exp(-i / 300); });
}

void slow_row(const char* name, std::int64_t steps, const std::function<double(double)>& level) {
  std::printf("| %s | %lld", name, static_cast<long long>(steps));
  for (const double correlation : correlations) {
    int called = 0;
    for (int run = 0; run < runs; ++run) {
      SlowProgressGuard guard(steps / 20, steps);
      const Losses losses = noisy(steps, correlation, static_cast<std::uint64_t>(run),
                                  [&](double i) { return level(i / static_cast<double>(steps)); });
      bool reported = reports(guard, losses);
      const EpochStats end{.epoch = 1, .step = steps, .lr = 0, .train_loss = 0, .validation = {}, .seconds = 0};
      reported = reported || guard.epoch_end(end);
      called += reported;
    }
    std::printf(" | %.1f", 100.0 * called / runs);
  }
  std::printf(" |\n");
  std::fflush(stdout);
}

void slow_table() {
  std::printf("\n| level | steps | rho 0 | rho 0.5 | rho 0.9 |\n| --- | --- | --- | --- | --- |\n");
  for (const std::int64_t steps : {60, 300, 2000, 10'000}) {
    slow_row("stuck", steps, [](double) { return 1.0; });
    slow_row("down 1 % at the end", steps, [](double t) { return 1 - 0.01 * t; });
    slow_row("down 30 % at the end", steps, [](double t) { return 1 - 0.3 * t; });
    slow_row("halves every fifth of the run", steps, [](double t) { return std::pow(0.5, 5 * t); });
  }
}

// ---- Time

void time_table() {
  constexpr std::int64_t steps = 2'000'000, per_epoch = 500;
  std::vector<std::unique_ptr<Guard>> guards;
  guards.push_back(std::make_unique<NonFiniteGuard>());
  guards.push_back(std::make_unique<LossGuard>(true, true, 1000));
  guards.push_back(std::make_unique<PlateauGuard>(per_epoch));
  guards.push_back(std::make_unique<SlowProgressGuard>(1000, steps));
  guards.push_back(std::make_unique<OverfittingGuard>());
  guards.push_back(std::make_unique<ClipPressureGuard>(1000, 1.0));
  guards.push_back(std::make_unique<LayerGuard>(std::vector<std::string>{"0", "2", "4", "6"}));
  const Losses losses = noisy(100'000, 0.5, 1, [](double) { return 1.0; });
  const double norms[] = {0.1, 0.2, 0.3, 0.4};
  const auto run = [&](std::span<const std::unique_ptr<Guard>> some) {
    std::int64_t findings = 0;
    StepStats stats{};
    stats.grad_norm = 0.5;
    stats.layer_norms = norms;
    const std::clock_t start = std::clock();  // of this process: others are at work too
    for (stats.step = 1; stats.step <= steps; ++stats.step) {
      stats.loss = losses[static_cast<std::size_t>(stats.step) % losses.size()];
      for (const auto& guard : some) findings += guard->check_loss(stats).has_value();
      for (const auto& guard : some) findings += guard->check_gradients(stats).has_value();
      for (const auto& guard : some) findings += guard->accepted(stats).has_value();
    }
    const double ns = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / static_cast<double>(steps) * 1e9;
    for (const auto& guard : some) guard->rolled_back();
    return std::pair(ns, findings);
  };
  std::printf("\n| guard | ns a step | findings |\n| --- | --- | --- |\n");
  for (const auto& guard : guards) {
    const auto [ns, findings] = run(std::span(&guard, 1));
    std::printf("| %s | %.1f | %lld |\n", guard->name(), ns, static_cast<long long>(findings));
  }
  const auto [ns, findings] = run(guards);
  std::printf("| all | %.1f | %lld |\n", ns, static_cast<long long>(findings));
}

}  // namespace

int main(int argc, char** argv) try {
  const std::pair<std::string, void (*)()> tables[] = {
      {"spike", spike_table}, {"plateau", plateau_table}, {"slow", slow_table}, {"time", time_table}};
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  set_num_threads(1);
  for (const auto& [name, print] : tables)
    if (wanted.empty() || std::ranges::count(wanted, name) > 0) print();
} catch (const std::exception& error) {
  std::fprintf(stderr, "guard_table: %s\n", error.what());
  return 1;
}
