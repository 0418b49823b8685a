// Time per training step. usage: step_bench <T1..T5 | 784-256-10/128> <threads> [--trainer [WITHOUT...]]
// prints: handrail CONFIG THREADS US_PER_STEP PROCESSOR_US_PER_STEP. BENCH_SECONDS sets how long it measures (1.5).
// With --trainer the same loop on shuffled batches and the Trainer take turns of some milliseconds, and it prints
//   loop CONFIG THREADS US_PER_STEP
//   trainer CONFIG THREADS US_PER_STEP
//   difference CONFIG THREADS MEAN UPPER_BOUND
// the last the mean difference in µs over paired rounds and its one-sided 95 % bound. WITHOUT takes parts of what the
// Trainer does out: guards, rules (guards but those of losses and updates), layers, validation, files.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <handrail/train/math/robust.h>

#include "model.h"
#include "workload.h"

using namespace handrail;

namespace {

// A loop of one's own: tape, backward, clip, update.
class BareLoop {
 public:
  explicit BareLoop(const bench::Workload& w) : binary_(w.binary), model_(bench::mlp(w.widths)) {}

  void step(const Tensor& x, const Tensor& y) {
    optimizer_.zero_grad();
    {
      Tape tape;
      const Tensor logits = model_(x);
      tape.backward(binary_ ? binary_cross_entropy_with_logits(logits, y) : cross_entropy(logits, y));
    }
    optimizer_.step(1e-3, optim::clip_scale(optimizer_.grad_norm(), 1.0));
  }

 private:
  bool binary_;
  nn::Sequential model_;
  optim::AdamW optimizer_{{{.name = "all", .params = model_.parameters(), .weight_decay = 0.01}}};
};

// With batches that lie ready, as the programs of other libraries are measured.
bench::Stopwatch bare(const bench::Workload& w) {
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
  BareLoop loop(w);
  bench::Stopwatch stopwatch(bench::bench_seconds());
  for (std::size_t step = 0; !stopwatch.done(); ++step) {
    loop.step(inputs[step % inputs.size()], labels[step % labels.size()]);
    stopwatch.tick();
  }
  return stopwatch;
}

// The same samples as a data set long enough for one epoch to last.
class Cycling : public train::Dataset {
 public:
  Cycling(const bench::Workload& w, Index epoch_batches) : binary_(w.binary), size_(epoch_batches * w.batch) {
    bench::Samples data = bench::samples(w);
    labels_ = std::move(data.labels);
    const Shape shape{w.batches * w.batch, w.widths.front()};
    inputs_.emplace(Tensor(shape, data.inputs), Tensor(binary_ ? Shape{shape[0], 1} : Shape{shape[0]}));
  }
  Index size() const override { return size_; }
  Shape input_shape() const override { return inputs_->input_shape(); }
  Shape target_shape() const override { return inputs_->target_shape(); }
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    static thread_local std::vector<Index> mapped;
    mapped.resize(rows.size());
    std::ranges::transform(rows, mapped.begin(), [&](Index row) { return row % inputs_->size(); });
    inputs_->gather(mapped, batch);
    std::ranges::transform(rows, batch.targets.mutable_data(),
                           [&](Index row) { return labels_[static_cast<std::size_t>(row) % labels_.size()]; });
  }

 private:
  bool binary_;
  Index size_;
  std::optional<train::TensorDataset> inputs_;
  std::vector<float> labels_;
};

// Seconds of both loops over the same number of steps.
struct Round {
  double bare = 0, trainer = 0;
};

// Every few milliseconds of training it makes as many steps of the bare loop, on shuffled batches like its own:
// both see the same machine.
class PairedTrainer : public train::Trainer {
 public:
  PairedTrainer(nn::Layer& model, train::Loss loss, train::TrainerOptions options, const bench::Workload& w,
                const Cycling& data, double us)
      : Trainer(model, std::move(loss), std::move(options)),
        bare_(w),
        loader_(data, {.batch_size = w.batch, .shuffle_seed = 1}),
        turn_(std::max<Index>(1, static_cast<Index>(5000 / us))),
        round_(us < 2000 ? 1000 * static_cast<Index>(std::ceil(100 / us)) : 20) {}

  // All but the first, which is warmup. One has whole thousands of steps, so as many evaluations as any other,
  // or lasts so long that they do not count.
  std::span<const Round> rounds() const { return std::span(rounds_).subspan(1); }
  Index steps_to_round() const { return round_; }

 protected:
  void on_epoch_start(Index) override {
    if (rounds_.empty()) begin_round();
  }
  void on_step_end(const train::StepStats&) override {
    ++steps_;
    if (steps_ % turn_ != 0 && steps_ % round_ != 0) return;
    const double middle = bench::now();
    for (; bare_steps_ < steps_; ++bare_steps_) {
      const Index i = bare_steps_ % loader_.size();
      if (i == 0) loader_.start_epoch(bare_steps_ / loader_.size());
      const train::Batch batch = loader_.batch(i);
      bare_.step(batch.inputs, batch.targets);
    }
    const double end = bench::now();
    rounds_.back().trainer += middle - turn_start_;
    rounds_.back().bare += end - middle;
    turn_start_ = end;
    if (steps_ % round_ == 0) begin_round();
  }

 private:
  void begin_round() {
    constexpr std::size_t enough = 6;
    const double time = bench::now();
    if (rounds_.size() == 1) since_ = time;
    if (rounds_.size() > enough && time - since_ > bench::bench_seconds()) return stop();
    rounds_.emplace_back();
    turn_start_ = time;
  }

  BareLoop bare_;
  train::Loader loader_;
  const Index turn_, round_;
  Index steps_ = 0, bare_steps_ = 0;
  double turn_start_ = 0, since_ = 0;
  std::vector<Round> rounds_;
};

// Takes out a part of what the Trainer does.
void leave_out(const std::string& part, train::TrainerOptions& options) {
  constexpr std::int64_t never = 1'000'000'000;
  if (part == "guards" || part == "rules") {
    visit_options(options.guards, [&](const OptionInfo& info, auto& on) {
      const std::string name = info.name;
      const bool protects = name == "non_finite" || name == "spike" || name == "divergence";
      if constexpr (std::is_same_v<std::remove_reference_t<decltype(on)>, bool>) on = part == "rules" && protects;
    });
  } else if (part == "layers") {
    options.log_every_n_steps = never;
  } else if (part == "validation") {
    options.val_check_interval = never;
  } else if (part == "files") {
    options.checkpoints = train::off;
    options.metrics_csv = train::off;
  } else {
    std::fprintf(stderr, "want guards, rules, layers, validation or files; got '%s'\n", part.c_str());
    std::exit(2);
  }
}

// With everything on that is on by default but the search for the rate, and `parts`. Evaluation costs what a forward
// pass over the validation set costs, whatever its size: here it has 1,024 samples.
void compare_with_trainer(const bench::Workload& w, const std::string& threads, std::span<char* const> parts) {
  const Cycling data(w, 4096), validation(w, 1024 / w.batch);
  const std::filesystem::path runs =
      std::filesystem::temp_directory_path() / ("handrail_step_bench_" + std::to_string(getpid()));
  nn::Sequential model = bench::mlp(w.widths);
  train::TrainerOptions options{.epochs = 1'000'000,
                                .batch_size = w.batch,
                                .lr = 1e-3,
                                .patience = train::off,
                                .checkpoints = train::CheckpointOptions{.dir = runs},
                                .sinks = {}};
  for (const char* part : parts) leave_out(part, options);
  const train::Loss loss = w.binary ? train::Loss(binary_cross_entropy_with_logits) : train::Loss(cross_entropy);
  PairedTrainer trainer(model, loss, options, w, data, bare(w).microseconds_per_step());
  trainer.fit(data, validation);
  std::filesystem::remove_all(runs);

  std::vector<double> bare_us, trainer_us, differences;
  for (const Round& round : trainer.rounds()) {
    const double us = 1e6 / static_cast<double>(trainer.steps_to_round());
    bare_us.push_back(us * round.bare);
    trainer_us.push_back(us * round.trainer);
    differences.push_back(us * (round.trainer - round.bare));
  }
  const auto [mean, error] = train::moments(differences);
  std::printf("loop %s %s %.2f\n", w.name.c_str(), threads.c_str(), train::median(bare_us));
  std::printf("trainer %s %s %.2f\n", w.name.c_str(), threads.c_str(), train::median(trainer_us));
  std::printf("difference %s %s %.2f %.2f\n", w.name.c_str(), threads.c_str(), mean, mean + 1.645 * error);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3 || (argc >= 4 && std::strcmp(argv[3], "--trainer") != 0)) {
    std::fprintf(stderr, "usage: step_bench <T1..T5 | 784-256-10/128> <threads> [--trainer [WITHOUT...]]\n");
    return 2;
  }
  const bench::Workload w = bench::workload(argv[1]);
  set_num_threads(std::atoi(argv[2]));
  if (argc >= 4) {
    compare_with_trainer(w, argv[2], std::span(argv + 4, argv + argc));
  } else {
    bench::Stopwatch stopwatch = bare(w);
    std::printf("handrail %s %s %.2f %.2f\n", w.name.c_str(), argv[2], stopwatch.microseconds_per_step(),
                stopwatch.processor_microseconds_per_step());
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "step_bench: %s\n", error.what());
  return 1;
}
