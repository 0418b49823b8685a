#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/screen.h"
#include "support/tasks.h"

using namespace handrail;

namespace {

constexpr useconds_t redraw_interval_us = 110'000;  // longer than the console waits before it draws again

void start(train::LogSink& sink) {
  sink.fit_start({.summary = {{"data", "some", false},
                              {"clip", "gradients may explode", true},
                              {.name = "fast_dev_run", .value = "one step", .limit = true}},
                  .epochs = 2,
                  .batches_per_epoch = 10,
                  .planned_steps = 20});
}

train::StepStats step(Index batch) {
  return {.step = batch,
          .micro_step = batch - 1,
          .epoch = 1,
          .batch = batch,
          .samples = 32,
          .loss = 0.75,
          .ema_loss = 0.5,
          .grad_norm = 1,
          .lr = 0.01,
          .updated = true};
}

const train::Anomaly not_finite{.name = "non_finite",
                                .step = 6,
                                .where = "row 3",
                                .evidence = "loss nan",
                                .cause = "the data",
                                .remedy = "look at it",
                                .action = train::Action::skip,
                                .details = "inputs: min 0"};

const train::Evaluation evaluation{.loss = 0.125, .measured_accuracy = 0.5, .samples = 4, .metrics = {{"f1", 0.75}}};

train::EpochStats epoch(Index number) {
  return {.epoch = number,
          .step = 10 * number,
          .lr = 0.002,
          .train_loss = 0.25,
          .metrics = {{"ones", 0.5}},
          .validation = evaluation,
          .seconds = 1};
}

train::FitEnd result() {
  return {.epochs = 1,
          .steps = 12345,
          .skipped = 1,
          .rollbacks = 1,
          .monitor = "val_loss",
          .best = train::Best{.epoch = 1, .step = 10, .value = 0.0000125, .evaluation = evaluation},
          .best_restored = true,
          .anomalies = {not_finite},
          .anomaly_counts = {{"non_finite", 1}},
          .checkpoint = "runs/x/1/checkpoint-000001.hrc",
          .seconds = 3700};
}

void emit(train::LogSink& sink) {
  start(sink);
  usleep(redraw_interval_us);
  sink.step_end(step(5));
  sink.anomaly(not_finite);
  sink.evaluated({.step = 10, .epoch = 1, .evaluation = evaluation, .monitored = 0.125, .best = true});
  sink.epoch_end(epoch(1));
  sink.fit_end(result());
}

/// What a sink writes to a file.
template <class Emit>
std::string written(Emit&& emit_to) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  emit_to(*train::console(file));
  std::rewind(file);
  std::array<char, 8192> buffer{};
  const std::string text(buffer.data(), std::fread(buffer.data(), 1, buffer.size(), file));
  std::fclose(file);
  return text;
}

constexpr const char* plain_lines =
    "data          some\n"
    "clip          off: gradients may explode\n"
    "fast_dev_run  LIMITED: one step\n"
    "warning: step 6: non_finite: row 3: loss nan; step skipped; try: look at it\n"
    "epoch 1/2  loss 0.2500  train_ones 0.5000  val_loss 0.1250  val_accuracy 0.5000  val_f1 0.7500  grad_norm 1.000  "
    "lr 0.002000  1.00 s  best\n"
    "finished: 1 epoch, 12,345 steps, 1 skipped, 1:01:40\n"
    "best evaluation: step 10, epoch 1, val_loss 1.250e-05, its weights restored\n"
    "anomalies: non_finite 1\n"
    "likely cause: step 6: non_finite: row 3: loss nan; step skipped; try: look at it\n"
    "details: FitResult::diagnosis_text()\n"
    "checkpoint: runs/x/1/checkpoint-000001.hrc\n";

}  // namespace

TEST_CASE("the console writes plain lines when its stream is not a terminal") { CHECK(written(emit) == plain_lines); }

TEST_CASE("a terminal without escape sequences gets plain lines too") {
  Terminal terminal(40);
  setenv("TERM", "dumb", 1);
  emit(*train::console(terminal.stream()));
  std::string text = terminal.written();
  std::erase(text, '\r');  // the terminal driver makes CR LF of LF
  CHECK(text == plain_lines);
}

TEST_CASE("NO_COLOR changes nothing: the console uses no colours") {
  setenv("NO_COLOR", "1", 1);
  Terminal terminal(200);
  emit(*train::console(terminal.stream()));
  unsetenv("NO_COLOR");
  CHECK(contains(terminal.written(), "epoch 1/2 [============>"));
  CHECK_FALSE(contains(terminal.written(), "\x1b[3"));
  CHECK_FALSE(contains(terminal.written(), "\x1b[0"));
}

TEST_CASE("the line of an epoch has the mean gradient norm of the updates of that epoch") {
  const std::string text = written([](train::LogSink& sink) {
    start(sink);
    for (const double norm : {1.0, 2.0, 6.0}) {
      auto stats = step(5);
      stats.grad_norm = norm;
      sink.step_end(stats);
    }
    auto refused = step(6);
    refused.grad_norm = HUGE_VAL;
    refused.updated = false;
    sink.step_end(refused);
    sink.epoch_end(epoch(1));
    sink.epoch_end(epoch(2));
  });
  CHECK(contains(text, "grad_norm 3.000  lr"));
  CHECK(contains(text, "epoch 2/2"));
  CHECK(text.find("grad_norm") == text.rfind("grad_norm"));  // no update, no norm
}

TEST_CASE("an evaluation within an epoch has its own line, one at the end of an epoch has none") {
  const std::string text = written([](train::LogSink& sink) {
    start(sink);
    usleep(1'050'000);  // a line a second at most
    sink.step_end(step(5));
    sink.evaluated({.step = 1005, .epoch = 1, .evaluation = evaluation, .monitored = 0.125, .best = true});
    sink.step_end(step(10));
    sink.evaluated({.step = 1010, .epoch = 1, .evaluation = evaluation, .monitored = 0.125, .best = false});
  });
  CHECK(contains(text, "step 1,005  val_loss 0.1250  val_accuracy 0.5000  val_f1 0.7500  best\n"));
  CHECK_FALSE(contains(text, "1,010"));
}

TEST_CASE("a run that was interrupted before its first step says that nothing was saved") {
  const std::string text = written([](train::LogSink& sink) {
    start(sink);
    sink.fit_end({.reason = train::StopReason::interrupted, .signal = 2});
  });
  CHECK(contains(text, "nothing was saved: there is no run to resume\n"));
}

TEST_CASE("the first anomalies of a name are shown, and every one that lowered the rate or stopped the run") {
  const std::string text = written([](train::LogSink& sink) {
    for (int i = 1; i <= 20; ++i)
      sink.anomaly({.name = "spike",
                    .step = i,
                    .evidence = "loss",
                    .cause = {},
                    .remedy = {},
                    .action = i == 15 ? train::Action::rollback : train::Action::proceed});
  });
  CHECK(std::ranges::count(text, '\n') == 6);
  CHECK(contains(text, "step 5: spike"));
  CHECK_FALSE(contains(text, "step 6: spike"));
  CHECK(contains(text, "step 15: spike: loss; rolled back, lr lowered"));
}

TEST_CASE("on a terminal the console draws a bar with rate and remaining time, and clears it for lines") {
  Terminal terminal(120);
  emit(*train::console(terminal.stream()));
  const std::string& text = terminal.written();
  CHECK(contains(text, "\r\x1b[?7lepoch 1/2 [============>"));
  CHECK(contains(text, "5/10  loss 0.5000  lr 0.01000  grad 1.000"));
  CHECK(contains(text, "samples/s"));
  CHECK(contains(text, " left\x1b[J"));
  CHECK(contains(text, "\r\x1b[J\x1b[33mwarning\x1b[0m: step 6"));
  CHECK(terminal.screen().rows_with("samples/s") == 0);
  CHECK(terminal.screen().rows_with("warning: step 6") == 1);
}

TEST_CASE("with NO_COLOR a terminal gets no colours, and elsewhere there are none") {
  setenv("NO_COLOR", "1", 1);
  Terminal terminal(120);
  emit(*train::console(terminal.stream()));
  unsetenv("NO_COLOR");
  CHECK(contains(terminal.written(), "warning: step 6"));
  CHECK_FALSE(contains(terminal.written(), "\x1b[3"));
}

TEST_CASE("no line of progress remains on a terminal, whatever its width and however it is resized") {
  for (const std::vector<std::size_t>& widths : std::vector<std::vector<std::size_t>>{
           {40}, {80}, {200}, {20}, {200, 80, 40}, {40, 200, 40}, {120, 30, 90, 20, 200}}) {
    CAPTURE(widths.size());
    CAPTURE(widths.front());
    Terminal terminal(widths.front());
    const auto sink = train::console(terminal.stream());
    start(*sink);
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (i > 0) terminal.resize(widths[i]);
      usleep(redraw_interval_us);
      sink->step_end(step(5));
      CHECK(terminal.screen().rows_with("loss 0.5000") == 1);
      CHECK(terminal.screen().rows().back().size() < widths[i]);
    }
    terminal.resize(widths.front() / 2);  // the last line that was drawn is wrapped when it is cleared
    sink->epoch_end(epoch(1));
    usleep(redraw_interval_us);
    sink->step_end(step(7));
    sink->fit_end(result());
    CHECK_MESSAGE(terminal.screen().rows_with("loss 0.5000") == 0, terminal.screen().text());
    CHECK_MESSAGE(terminal.screen().rows_with("left") == 0, terminal.screen().text());
    CHECK(terminal.screen().rows_with("finished") == 1);
  }
}

TEST_CASE("a terminal that became narrower after it was asked for its width does not wrap the line of progress") {
  Terminal terminal(200);
  const auto sink = train::console(terminal.stream());
  start(*sink);
  for (int i = 0; i < 3; ++i) {
    usleep(redraw_interval_us);
    sink->step_end(step(5));
    if (i == 0) terminal.resize_unnoticed(60);
    CHECK_MESSAGE(terminal.screen().rows_with("epoch 1/2 [") == 1, terminal.screen().text());
  }
  sink->fit_end(result());
  CHECK_MESSAGE(terminal.screen().rows_with("epoch 1/2 [") == 0, terminal.screen().text());
}

TEST_CASE("lines that stay are not wrapped by the terminal at 40 and 80 columns") {
  for (const std::size_t columns : {40U, 80U, 200U}) {
    Terminal terminal(columns);
    emit(*train::console(terminal.stream()));
    CHECK_MESSAGE(terminal.screen().wrapped_rows() == 0, terminal.screen().text());
    std::string text;  // without the indents of lines that go on
    for (const std::string& row : terminal.screen().rows())
      text += (text.empty() ? "" : " ") + row.substr(std::min(row.find_first_not_of(' '), row.size()));
    for (const char* part : {"look at it", "val_loss 0.1250", "val_accuracy 0.5000", "val_f1 0.7500"})
      CHECK_MESSAGE(contains(text, part), text);
  }
}

TEST_CASE("a terminal that reports no width has that of COLUMNS, or 80") {
  for (const char* given : {"50", "", "many"}) {
    setenv("COLUMNS", given, 1);
    Terminal terminal(0);
    emit(*train::console(terminal.stream()));
    unsetenv("COLUMNS");
    CHECK(contains(terminal.written(), "lr 0.01000") == (std::string(given) != "50"));
  }
}

TEST_CASE("the console works on a terminal of a few columns") {
  for (const std::size_t columns : {1U, 2U, 5U, 10U, 20U}) {
    Terminal terminal(columns);
    const auto sink = train::console(terminal.stream());
    emit(*sink);
    usleep(redraw_interval_us);
    sink->activity({.what = "checking the data", .done = 1, .total = 2});
    CHECK_FALSE(terminal.written().empty());
  }
}

TEST_CASE("on a terminal an activity has a live line, which is cleared by whatever comes next") {
  Terminal terminal(80);
  const auto sink = train::console(terminal.stream());
  start(*sink);
  sink->activity({.what = "checking the data", .done = 0, .total = 4000});
  CHECK(terminal.screen().rows_with("checking the data") == 0);  // it may be over at once
  usleep(redraw_interval_us);
  sink->activity({.what = "checking the data", .done = 120, .total = 4000});
  CHECK(terminal.screen().rows_with("checking the data [>") == 1);
  CHECK(terminal.screen().rows_with("120/4,000") == 1);
  sink->activity({.what = "LR finder", .done = 57, .total = 200});
  CHECK(terminal.screen().rows_with("LR finder") == 0);  // at most ten drawings a second
  usleep(redraw_interval_us);
  sink->activity({.what = "LR finder", .done = 58, .total = 200});
  CHECK(terminal.screen().rows_with("LR finder") == 1);
  CHECK(terminal.screen().rows_with("checking the data") == 0);
  sink->anomaly(not_finite);
  CHECK(terminal.screen().rows_with("LR finder") == 0);
  usleep(redraw_interval_us);
  sink->activity({.what = "LR finder", .done = 200, .total = 200});
  sink->train_start({.found = {{"lr", "0.01, by the LR finder"}}});
  CHECK(terminal.screen().rows_with("LR finder [") == 0);
  CHECK(terminal.screen().rows_with("lr            0.01, by the LR finder") == 1);
}

TEST_CASE("without a terminal an activity has a line after two seconds, and none when it is shorter") {
  const std::string text = written([](train::LogSink& sink) {
    sink.activity({.what = "checking the data", .done = 0, .total = 4000});
    usleep(1'000'000);
    sink.activity({.what = "checking the data", .done = 10, .total = 4000});
    sink.activity({.what = "LR finder", .done = 1, .total = 200});
    usleep(1'200'000);
    sink.activity({.what = "LR finder", .done = 57, .total = 200});
    usleep(1'000'000);
    sink.activity({.what = "LR finder", .done = 157, .total = 200});
    sink.activity({.what = "LR finder", .done = 158, .total = 200});
  });
  CHECK(text == "LR finder: 157 of 200\n");
}

TEST_CASE("what was found before the first step is aligned with the summary, and the time left is counted from there") {
  const std::string text = written([](train::LogSink& sink) {
    start(sink);
    sink.train_start(
        {.found = {{"lr", "0.01, by the LR finder"}, {"warmup", "the first steps use the full lr", true}}});
  });
  CHECK(contains(text,
                 "fast_dev_run  LIMITED: one step\n"
                 "lr            0.01, by the LR finder\n"
                 "warmup        off: the first steps use the full lr\n"));
  Terminal terminal(120);
  const auto sink = train::console(terminal.stream());
  start(*sink);
  usleep(1'000'000);
  sink->train_start({});
  usleep(redraw_interval_us);
  sink->step_end(step(2));
  // The one step took 0.11 s, and 18 are left; the second before training began would make that 20 s.
  CHECK_MESSAGE(terminal.screen().rows_with("  0:0") == 1, terminal.screen().text());
}

TEST_CASE("the diagnosis as text contains everything that a headline leaves out") {
  const train::FitResult told{result()};
  CHECK(told.anomalies[0].headline() == "step 6: non_finite: row 3: loss nan; step skipped; try: look at it");
  CHECK(told.diagnosis_text() ==
        "step 6: non_finite: row 3: loss nan; inputs: min 0; likely cause: the data; the step is skipped; "
        "try: look at it\n");
  CHECK(train::FitResult{}.diagnosis_text().empty());
}

TEST_CASE("the report of a run without anomalies does not mention details") {
  const std::string text = written([](train::LogSink& sink) { sink.fit_end({.epochs = 2, .steps = 1}); });
  CHECK(text == "finished: 2 epochs, 1 step, 0:00\n");
}

TEST_CASE("the console prints warnings and no notes, and the diagnosis has both") {
  const train::Anomaly clipped{.name = "clip_pressure",
                               .step = 3,
                               .evidence = "many were clipped",
                               .cause = {},
                               .remedy = {},
                               .severity = train::Severity::note};
  train::FitEnd noted{.epochs = 2, .steps = 1, .anomalies = {clipped}, .anomaly_counts = {{"clip_pressure", 1}}};
  const auto print = [&](train::LogSink& sink) {
    sink.anomaly(noted.anomalies.back());
    sink.fit_end(noted);
  };
  CHECK(written(print) == "finished: 2 epochs, 1 step, 0:00\n");
  CHECK(train::FitResult{noted}.diagnosis_text() == "step 3: note: clip_pressure: many were clipped\n");
  noted.anomalies.push_back(not_finite);
  noted.anomaly_counts["non_finite"] = 1;
  CHECK(written(print) ==
        "warning: step 6: non_finite: row 3: loss nan; step skipped; try: look at it\n"
        "finished: 2 epochs, 1 step, 0:00\n"
        "anomalies: non_finite 1\n"
        "details: FitResult::diagnosis_text()\n");
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
    found = found || item.value == "1,800 samples, 1 batch of 1 per epoch, 1 epoch";
  CHECK(found);
}

TEST_CASE("a second fit is one line, with the reason when its weights are not kept") {
  CHECK(
      written([](train::LogSink& sink) {
        sink.refit({.kept = true, .rows = 1200, .epochs = 12, .steps = 456, .train_loss = 0.25, .seconds = 61});
        sink.refit({.reason = "training failed", .rows = 80, .epochs = 1, .steps = 3, .train_loss = 0.25});
        sink.refit({.reason = "overfit_batches is on"});
      }) ==
      "second fit: 1,200 rows, 12 epochs, 456 steps, 1:01, train_loss 0.2500, its weights kept\n"
      "second fit: 80 rows, 1 epoch, 3 steps, 0:00, train_loss 0.2500: the weights of the first stay: training failed\n"
      "no second fit: overfit_batches is on\n");
}

TEST_CASE("a calibration is one line of the end of a run") {
  const auto line = [](const train::Calibration& calibration) {
    train::FitEnd end;
    end.calibration = calibration;
    const std::string all = written([&](train::LogSink& sink) { sink.fit_end(end); });
    return all.substr(all.find('\n') + 1);
  };
  CHECK(line({.kept = true,
              .temperature = 1.5,
              .rows = 30,
              .loss_before = 0.5,
              .loss_after = 0.25,
              .error_before = 0.125,
              .error_after = 0.0625}) ==
        "calibrated: temperature 1.500, val_loss 0.5000, calibration error 0.1250 before, 0.2500 and 0.06250 after\n");
  CHECK(line({.reason = "no", .temperature = 1.5, .rows = 30, .loss_before = 0.5, .error_before = 0.125}) ==
        "not calibrated: no: temperature 1.500, val_loss 0.5000, calibration error 0.1250\n");
  CHECK(line({.reason = "a regression has no probabilities"}) == "not calibrated: a regression has no probabilities\n");
}

TEST_CASE("a fold is one line, with the names of its warnings") {
  const train::FitEnd fit{.reason = train::StopReason::early_stopping,
                          .epochs = 42,
                          .best = train::Best{.epoch = 1, .step = 10, .value = 0.5, .evaluation = evaluation},
                          .anomalies = {not_finite},
                          .seconds = 61};
  train::FitEnd unvalidated;  // which monitors the training loss
  unvalidated.best = train::Best{.epoch = 1, .step = 10, .value = 0.5, .evaluation = {}};
  CHECK(written([&](train::LogSink& sink) {
          sink.part_end({.kind = "fold", .number = 2, .count = 5, .fit = fit, .test = evaluation});
          sink.part_end({.kind = "member", .number = 1, .count = 3, .fit = fit});
          sink.part_end({.kind = "member", .number = 2, .count = 3, .fit = unvalidated});
          sink.part_end({.kind = "fold", .number = 3, .count = 5, .fit = {.reason = train::StopReason::interrupted}});
        }) ==
        "fold 2/5  test_loss 0.1250  test_accuracy 0.5000  test_f1 0.7500  stopped early: 42 epochs, 1:01  "
        "warnings: non_finite\n"
        "member 1/3  val_loss 0.1250  val_accuracy 0.5000  val_f1 0.7500  stopped early: 42 epochs, 1:01  "
        "warnings: non_finite\n"
        "member 2/3  finished: 0 epochs, 0:00\n"
        "fold 3/5  interrupted: 0 epochs, 0:00\n");
}
