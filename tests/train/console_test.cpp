#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

using namespace handrail;

namespace {

void emit(train::LogSink& sink) {
  sink.fit_start({.summary = {{"data", "some", false}, {"clip", "gradients may explode", true}},
                  .epochs = 2,
                  .batches_per_epoch = 10,
                  .planned_steps = 20});
  usleep(110'000);  // past the pace of the bar
  sink.step_end({.step = 5,
                 .micro_step = 4,
                 .epoch = 1,
                 .batch = 5,
                 .samples = 32,
                 .loss = 0.75,
                 .ema_loss = 0.5,
                 .grad_norm = 1,
                 .lr = 0.01});
  sink.anomaly({.name = "non_finite",
                .step = 6,
                .where = "row 3",
                .evidence = "loss nan",
                .cause = "the data",
                .remedy = "look at it",
                .action = train::Action::skip});
  const train::Evaluation evaluation{.loss = 0.125, .measured_accuracy = 0.5, .samples = 4, .metrics = {{"f1", 0.75}}};
  sink.evaluated({.step = 10, .epoch = 1, .evaluation = evaluation, .monitored = 0.125, .best = true});
  sink.epoch_end({.epoch = 1,
                  .step = 10,
                  .lr = 0.002,
                  .train_loss = 0.25,
                  .metrics = {{"ones", 0.5}},
                  .validation = evaluation,
                  .seconds = 1});
  sink.fit_end({.epochs = 1,
                .steps = 12345,
                .skipped = 1,
                .rollbacks = 1,
                .best = train::Best{.epoch = 1, .step = 10, .value = 0.125, .evaluation = evaluation},
                .best_restored = true,
                .anomalies = {{.name = "non_finite",
                               .step = 6,
                               .where = {},
                               .evidence = "loss nan",
                               .cause = {},
                               .remedy = {},
                               .action = train::Action::skip}},
                .anomaly_counts = {{"non_finite", 1}},
                .checkpoint = "runs/x/1/checkpoint-000001.hrc",
                .seconds = 3700});
}

}  // namespace

TEST_CASE("elsewhere than on a terminal the console writes plain lines") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  emit(*train::console(file));
  std::rewind(file);
  std::array<char, 4096> buffer{};
  const std::string text(buffer.data(), std::fread(buffer.data(), 1, buffer.size(), file));
  std::fclose(file);
  CHECK(text ==
        "data  some\n"
        "clip  off: gradients may explode\n"
        "warning: step 6: non_finite: row 3: loss nan; likely the data; the step is skipped; try: look at it\n"
        "epoch 1/2  loss 0.2500  train_ones 0.5000  val_loss 0.1250  val_accuracy 0.5000  val_f1 0.7500  lr 2.00e-03  "
        "1.00 s  best\n"
        "finished: 1 epochs, 12,345 steps, 1 skipped, 1:01:40\n"
        "best evaluation: epoch 1, value 0.1250, its weights restored\n"
        "anomalies: non_finite 1\n"
        "likely cause: non_finite: loss nan; the step is skipped\n"
        "checkpoint: runs/x/1/checkpoint-000001.hrc\n");
}

TEST_CASE("of one kind of anomaly a few are shown, and all that something was done about") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  const auto sink = train::console(file);
  for (int i = 1; i <= 20; ++i)
    sink->anomaly({.name = "spike",
                   .step = i,
                   .evidence = "loss",
                   .cause = {},
                   .remedy = {},
                   .action = i == 15 ? train::Action::rollback : train::Action::proceed});
  std::rewind(file);
  std::array<char, 4096> buffer{};
  const std::string text(buffer.data(), std::fread(buffer.data(), 1, buffer.size(), file));
  std::fclose(file);
  CHECK(std::ranges::count(text, '\n') == 6);
  CHECK(text.find("step 5: spike") != std::string::npos);
  CHECK(text.find("step 6: spike") == std::string::npos);
  CHECK(text.find("step 15: spike: loss; back to the last good state") != std::string::npos);
}

TEST_CASE("on a terminal the console draws a bar with rate and remaining time, and clears it for lines") {
  int reading = -1, writing = -1;
  REQUIRE(openpty(&reading, &writing, nullptr, nullptr, nullptr) == 0);
  std::FILE* terminal = fdopen(writing, "w");
  setenv("TERM", "xterm", 1);
  emit(*train::console(terminal));
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.find("finished") == std::string::npos) {
    const ssize_t count = read(reading, buffer.data(), buffer.size());
    REQUIRE(count > 0);
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  std::fclose(terminal);
  close(reading);
  CHECK(text.find("\repoch 1/2 [============>") != std::string::npos);
  CHECK(text.find("5/10  loss 0.5000  lr 1.00e-02") != std::string::npos);
  CHECK(text.find("samples/s") != std::string::npos);
  CHECK(text.find("left\x1b[K") != std::string::npos);
  CHECK(text.find("\r\x1b[Kwarning") != std::string::npos);
}

TEST_CASE("numbers are grouped by thousands") {
  const auto data = train::TensorDataset(Tensor::zeros({2000, 1}), Tensor::zeros({2000, 1}));
  Rng rng(1);
  nn::Sequential model{nn::Linear{1, 1, rng}};
  const auto log = std::make_shared<train::MemorySink>();
  train::Trainer trainer(
      model, mse_loss, {.epochs = 1, .batch_size = 1, .checkpoints = train::off, .fast_dev_run = true, .sinks = {log}});
  trainer.fit(data);
  bool found = false;
  for (const auto& item : log->starts[0].summary)
    found = found || item.value == "1,800 samples, batches of 1, 1 to an epoch, 1 epochs";
  CHECK(found);
}
