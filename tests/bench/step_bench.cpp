// Time per training step. usage: step_bench <T1..T5 | 784-256-10/128> <threads> [--trainer]
// prints: handrail CONFIG THREADS US_PER_STEP. BENCH_SECONDS sets how long it measures (1.5).
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "model.h"
#include "workload.h"

using namespace handrail;

namespace {

// A loop of one's own: tape, backward, clip, update.
double bare(const bench::Workload& w) {
  const bench::Samples data = bench::samples(w);
  std::vector<Tensor> inputs, labels;
  for (Index b = 0; b < w.batches; ++b)
    inputs.emplace_back(Shape{w.batch, w.widths.front()},
                        std::span(data.inputs)
                            .subspan(static_cast<std::size_t>(b * w.batch * w.widths.front()),
                                     static_cast<std::size_t>(w.batch * w.widths.front())));
  for (Index b = 0; b < bench::Samples::label_batches; ++b)
    labels.emplace_back(
        w.binary ? Shape{w.batch, 1} : Shape{w.batch},
        std::span(data.labels).subspan(static_cast<std::size_t>(b * w.batch), static_cast<std::size_t>(w.batch)));

  const nn::Sequential model = bench::mlp(w.widths);
  optim::AdamW optimizer({{.name = "all", .params = model.parameters(), .weight_decay = 0.01}});
  bench::Stopwatch stopwatch(bench::bench_seconds());
  for (std::size_t step = 0; !stopwatch.done(); ++step) {
    const Tensor& x = inputs[step % inputs.size()];
    const Tensor& y = labels[step % labels.size()];
    optimizer.zero_grad();
    {
      Tape tape;
      const Tensor logits = model(x);
      tape.backward(w.binary ? binary_cross_entropy_with_logits(logits, y) : cross_entropy(logits, y));
    }
    optimizer.step(1e-3, optim::clip_scale(optimizer.grad_norm(), 1.0));
    stopwatch.tick();
  }
  return stopwatch.microseconds_per_step();
}

// The same samples as a data set long enough for one epoch to last.
class Cycling : public train::Dataset {
 public:
  Cycling(const bench::Workload& w, Index epoch_batches)
      : w_(w), data_(bench::samples(w)), size_(epoch_batches * w.batch) {}
  Index size() const override { return size_; }
  Shape input_shape() const override { return {w_.widths.front()}; }
  Shape target_shape() const override { return w_.binary ? Shape{1} : Shape{}; }
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    const auto width = static_cast<std::size_t>(w_.widths.front()), count = data_.inputs.size() / width;
    float* x = batch.inputs.mutable_data();
    float* y = batch.targets.mutable_data();
    for (const Index row : rows) {
      const auto r = static_cast<std::size_t>(row);
      x = std::copy_n(&data_.inputs[r % count * width], width, x);
      *y++ = data_.labels[r % data_.labels.size()];
    }
  }

 private:
  const bench::Workload& w_;
  bench::Samples data_;
  Index size_;
};

class TimedTrainer : public train::Trainer {
 public:
  using Trainer::Trainer;
  bench::Stopwatch stopwatch{bench::bench_seconds()};

 protected:
  void on_step_end(const train::StepStats&) override {
    stopwatch.tick();
    if (stopwatch.done()) stop();
  }
};

// With everything on that is on by default but the search for the rate. Evaluation costs what a forward pass
// over the validation set costs, whatever its size: here it has 1,024 samples.
double with_trainer(const bench::Workload& w) {
  const Cycling data(w, 4096), validation(w, 1024 / w.batch);
  const std::filesystem::path runs =
      std::filesystem::temp_directory_path() / ("handrail_step_bench_" + std::to_string(getpid()));
  nn::Sequential model = bench::mlp(w.widths);
  const train::TrainerOptions options{.epochs = 1'000'000,
                                      .batch_size = w.batch,
                                      .lr = 1e-3,
                                      .patience = train::off,
                                      .checkpoints = train::CheckpointOptions{.dir = runs},
                                      .sinks = {}};
  const auto run = [&](train::Loss loss) {
    TimedTrainer trainer(model, std::move(loss), options);
    trainer.fit(data, validation);
    return trainer.stopwatch.microseconds_per_step();
  };
  const double us = w.binary ? run(binary_cross_entropy_with_logits) : run(cross_entropy);
  std::filesystem::remove_all(runs);
  return us;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3 || argc > 4 || (argc == 4 && std::strcmp(argv[3], "--trainer") != 0)) {
    std::fprintf(stderr, "usage: step_bench <T1..T5 | 784-256-10/128> <threads> [--trainer]\n");
    return 2;
  }
  const bench::Workload w = bench::workload(argv[1]);
  set_num_threads(std::atoi(argv[2]));
  const double us = argc == 4 ? with_trainer(w) : bare(w);
  std::printf("handrail %s %s %.2f\n", w.name.c_str(), argv[2], us);
} catch (const std::exception& error) {
  std::fprintf(stderr, "step_bench: %s\n", error.what());
  return 1;
}
