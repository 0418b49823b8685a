#include "support/heap_counter.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <handrail/core/ops/ops.h>
#include <handrail/core/random.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/clip.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/data/split.h>
#include <handrail/train/report/console.h>
#include <handrail/train/report/sinks.h>
#include <handrail/train/trainer.h>
#include <handrail/train/watch.h>

#include "support/files.h"
#include "support/other_threads.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("the counter sees every way to the heap") {
  CHECK(heap_counter::during([] {}) == 0);
  const auto seen = [](auto&& f) { CHECK(heap_counter::during(f) > 0); };
  seen([] { const std::vector<int> grown(100); });
  seen([] {
    struct alignas(128) Wide {
      char bytes[128];
    };
    const auto wide = std::make_unique<Wide>();
    CHECK(reinterpret_cast<std::uintptr_t>(wide.get()) % 128 == 0);
  });
  seen([] {
    release_cached_memory();
    const Tensor tensor = Tensor::zeros({1000});
  });
#if HANDRAIL_TEST_COUNTS_MALLOC
  seen([] {
    void* volatile memory = std::malloc(10);
    std::free(memory);
  });
#endif
}

namespace {

struct Mlp : nn::Module {
  explicit Mlp(Rng& rng)
      : first(add("first", nn::Linear(50, 64, rng))),
        layer_norm(add("layer_norm", nn::LayerNorm(64))),
        second(add("second", nn::Linear(64, 300, rng))),
        batch_norm(add("batch_norm", nn::BatchNorm1d(300))),
        out(add("out", nn::Linear(300, 10, rng))) {}

  Tensor operator()(const Tensor& x) const {
    return out(dropout(relu(batch_norm(second(relu(layer_norm(first(x)))))), 0.1));
  }
  nn::Linear& first;
  nn::LayerNorm& layer_norm;
  nn::Linear& second;
  nn::BatchNorm1d& batch_norm;
  nn::Linear& out;
};

}  // namespace

TEST_CASE("a training step makes no call to the heap, with a watch neither") {
  Rng rng(1);
  const Mlp model(rng);
  optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.01)};
  // Enough rows for kernels to use both threads.
  const Tensor x = normal({256, 50}, 0, 1, rng);
  Tensor y(Shape{256});
  for (Scalar& label : y.mutable_span()) label = static_cast<Scalar>(rng.below(10));
  double last = 0;
  train::Watch watch(model, optimizer);
  const auto steps = [&](std::uint64_t count) {
    for (std::uint64_t step = 0; step < count; ++step) {
      optimizer.zero_grad();
      Tape tape(Mode::train, {.seed = 1, .position = step});
      const Tensor loss = cross_entropy(model(x), y);
      watch.step(loss, x, y);
      tape.backward(loss);
      optimizer.step(1e-3, optim::clip_scale(optimizer.grad_norm(), 1.0));
      last = static_cast<double>(loss.item());
    }
  };
  for (const int threads : {1, 2}) {
    const ThreadCount use(threads);
    steps(3);
    CHECK((num_threads() == 1 || met_other_threads(threads)));
    CHECK_MESSAGE(heap_counter::during([&] { steps(100); }) == 0, threads, " threads");
  }
  CHECK(std::isfinite(last));
}

TEST_CASE("no op calls the heap once it has run with these shapes") {
  Rng rng(2);
  const Tensor w = leaf(uniform({20, 12}, 0.5, 2, rng)), square_matrix = leaf(uniform({12, 12}, -1, 1, rng));
  const Tensor gain = leaf(Tensor::ones({12})), shift = leaf(Tensor::zeros({12})), column = leaf(Tensor::ones({20, 1}));
  const Tensor classes = Tensor::full({20}, 3), halves = Tensor::full({20, 12}, Scalar(0.5));
  const RunningStats running{Tensor::zeros({12}), Tensor::ones({12})};
  const auto run = [&] {
    for (const Tensor& t : {w, square_matrix, gain, shift, column}) t.zero_grad();
    Tape tape(Mode::train, {.seed = 1, .position = 1});
    Tensor y = exp(affine(w, -1, 0)) + log(w) - sqrt(w) * square(w) / abs(w);
    y = add(relu(y), tanh(y)) + sigmoid(y) * column + gelu(y) + softplus(y) * gain;
    y = linear(matmul(y, square_matrix), square_matrix, shift);
    y = layer_norm(y, gain, shift) + batch_norm(y, gain, shift, running) + dropout(y, 0.5);
    y = y + softmax(y) + log_softmax(y) + sum(y, 1, true) + mean(y, 0);
    y = reshape(reshape(y, {240}), {20, 12});
    y = y + sum(cat({smooth_clip(clamp(y, -1, 1), running.variance), w, pow(w, 1.5)}, 1), 1, true);
    y = y + reshape(logsumexp(transpose(transpose(y))), {20, 1});
    const Tensor loss = cross_entropy(y, classes) + binary_cross_entropy_with_logits(y, halves) + mse_loss(y, halves) +
                        l1_loss(y, halves) + huber_loss(y, halves) + sum(y) + mean(y);
    tape.backward(loss);
  };
  run();
  run();
  CHECK(heap_counter::during(run) == 0);
  CHECK(w.grad().defined());
}

TEST_CASE("a batch of a subset makes no call to the heap") {
  Rng rng(3);
  const auto data = std::make_shared<train::TensorDataset>(normal({900, 20}, 0, 1, rng), Tensor::zeros({900}));
  const auto [rest, held_out] = train::random_split(train::Rows(*data), 0.1);
  const train::Subset subset(data, {rest.numbers().begin(), rest.numbers().end()});
  train::Loader loader(subset, {.batch_size = 90, .shuffle_seed = 1});
  loader.start_epoch(1);
  double sum = static_cast<double>(loader.batch(0).inputs.span()[0]);
  CHECK(heap_counter::during([&] {
          for (Index i = 1; i < loader.size(); ++i) sum += static_cast<double>(loader.batch(i).inputs.span()[0]);
        }) == 0);
  CHECK(std::isfinite(sum));
}

namespace {

struct Model : nn::Layer {
  explicit Model(Rng& rng) : net(add("a_name_longer_than_a_short_string", Mlp(rng))) {}
  Tensor forward(const Tensor& x) const override { return net(x); }
  Mlp& net;
};

// Counts from the middle of an epoch on, over a hundred steps or as many as are wanted.
struct Counted : train::Trainer {
  using Trainer::Trainer;
  std::int64_t first = 120, last = 220, before = 0, used = -1, logs = 0;
  void on_step_end(const train::StepStats& stats) override {
    if (stats.step == first) before = heap_counter::calls;
    if (stats.step == last) {
      used = heap_counter::calls - before;
      stop();
    }
  }
  void on_log(const train::StepStats& stats, const train::LayerReport& report) override {
    logs += stats.step > first && stats.step <= last;
    CHECK(report.layers.size() == 5);
    CHECK(report.layers[0].update_ratio > 0);
  }
};

}  // namespace

TEST_CASE("after its first steps a Trainer with all defaults makes 100 steps without the heap, one of them logged") {
  // The console draws as often as it likes.
  struct Way {
    int threads;
    Index accumulated;
    train::OrOff<double> verify_steps;
  };
  for (const auto& [threads, accumulated, verify_steps] :
       {Way{1, 1, train::off}, Way{2, 1, train::off}, Way{1, 2, train::off}, Way{1, 1, 0.2}, Way{2, 2, 0.2}}) {
    const ThreadCount on(threads);
    Rng rng(2);
    const Tensor inputs = normal({24'000 * accumulated, 50}, 0, 1, rng), targets(Shape{24'000 * accumulated});
    for (Index i = 0; i < targets.size(); ++i)  // something to learn: there is nothing to warn of
      targets.mutable_data()[i] = inputs.at({i, 0}) > 0 ? 1 : 0;
    const train::TensorDataset data(inputs, targets);
    Model model(rng);
    std::FILE* log = std::tmpfile();
    REQUIRE(log);
    Counted trainer{model,
                    cross_entropy,
                    {.epochs = 1,
                     .batch_size = 96,
                     .accumulate_grad_batches = accumulated,
                     .lr = 1e-3,
                     .checks = {.labels = train::off},  // of ten classes it has two
                     .checkpoints = train::off,
                     .verify_steps = verify_steps,
                     .limit_val_batches = 2,
                     .metrics_csv = train::off,
                     .sinks = {train::console(log)}}};
    trainer.fit(data);
    std::fclose(log);
    CHECK(trainer.used == 0);
    CHECK(trainer.logs == 1);
  }
}

TEST_CASE("a Trainer keeps its last good state without the heap") {
  Rng rng(2);
  const train::TensorDataset data(normal({16'100, 50}, 0, 1, rng), Tensor::zeros({16'100}));
  Model model(rng);
  Counted trainer{model,
                  cross_entropy,
                  {.epochs = 1,
                   .batch_size = 8,
                   .lr = 1e-3,
                   .validation_split = train::off,
                   .guards = {.plateau = train::off},  // whose window grows up to step 8,000
                   .checks = {.labels = train::off},
                   .checkpoints = train::off,
                   .metrics_csv = train::off,
                   .sinks = {}}};
  trainer.first = 1990;
  trainer.last = 2010;  // it keeps the state of step 2000
  trainer.fit(data);
  CHECK(trainer.used == 0);
}

TEST_CASE("a step that is not logged makes no call to the heap, whatever files a run writes") {
  const TempDir dir;
  Rng rng(2);
  const train::TensorDataset data(normal({24'000, 50}, 0, 1, rng), Tensor::zeros({24'000}));
  Model model(rng);
  Counted trainer{model,
                  cross_entropy,
                  {.epochs = 1,
                   .batch_size = 96,
                   .lr = 1e-3,
                   .checks = {.labels = train::off},
                   .checkpoints = train::CheckpointOptions{.dir = dir.path() / "runs"},
                   .limit_val_batches = 2,
                   .sinks = {train::csv_log(dir.path() / "log.csv"), train::json_lines(dir.path() / "log.jsonl"),
                             train::tensorboard(dir.path() / "events")}}};
  trainer.first = 101;
  trainer.last = 199;
  trainer.fit(data);
  CHECK(trainer.used == 0);
  CHECK(trainer.logs == 0);
}
