#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <handrail/train/report/internal/console_lines.h>

#include "support/tasks.h"

using namespace handrail;
using train::StepProgress;

namespace {

constexpr StepProgress progress{.epoch = 12,
                                .epochs = 20,
                                .batch = 844,
                                .batches = 1688,
                                .loss = 0.25,
                                .val_loss = {},
                                .lr = 0.01,
                                .grad_norm = 0.5,
                                .samples_per_second = 123'456,
                                .seconds_left = 3723};

std::string line_of(const StepProgress& p, std::size_t columns) {
  std::string line;
  train::progress_line(line, p, columns);
  return line;
}

train::EpochStats epoch_with(std::vector<train::MetricValue> metrics) {
  const train::Evaluation validation{.loss = 0.125, .measured_accuracy = 0.96875, .samples = 4, .metrics = metrics};
  return {.epoch = 12,
          .step = 10,
          .lr = 0.002,
          .train_loss = 0.25,
          .metrics = std::move(metrics),
          .validation = validation,
          .seconds = 1};
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines{""};
  for (const char c : text) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  }
  return lines;
}

}  // namespace

TEST_CASE("a line of progress leaves out the least important parts first") {
  CHECK(line_of(progress, 120) ==
        "epoch 12/20 [============>            ] 844/1688  loss 0.2500  lr 0.01000  grad 0.5000  123,456 samples/s  "
        "1:02:03 left");
  CHECK(line_of(progress, 100) ==
        "epoch 12/20 [============>            ] 844/1688  loss 0.2500  lr 0.01000  grad 0.5000  1:02:03 left");
  CHECK(line_of(progress, 79) == "epoch 12/20 [=======>        ] 844/1688  loss 0.2500  grad 0.5000  1:02:03 left");
  CHECK(line_of(progress, 70) == "epoch 12/20 [===>   ] 844/1688  loss 0.2500  grad 0.5000  1:02:03 left");
  CHECK(line_of(progress, 60) == "epoch 12/20 844/1688  loss 0.2500  grad 0.5000  1:02:03 left");
  CHECK(line_of(progress, 48) == "epoch 12/20 844/1688  loss 0.2500  1:02:03 left");
  CHECK(line_of(progress, 44) == "epoch 12/20 50%  loss 0.2500  1:02:03 left");
  CHECK(line_of(progress, 39) == "epoch 12/20  loss 0.2500  1:02:03 left");
  CHECK(line_of(progress, 35) == "12/20  loss 0.2500  1:02:03 left");
  CHECK(line_of(progress, 19) == "12/20  loss 0.2500");
  CHECK(line_of(progress, 7) == "12/20  ");
}

TEST_CASE("a line of progress fits every width, at the start and the end of an epoch, whatever its numbers") {
  StepProgress large = progress;
  large.epochs = 1'000'000'000;
  large.batches = large.batch = 1'000'000'000'000;
  large.loss = -1.234e-300;
  large.grad_norm = 1.234e+300;
  large.samples_per_second = 1e12;
  StepProgress first = progress;
  first.batch = 1;
  first.batches = 1;
  for (const StepProgress& p : {progress, large, first})
    for (std::size_t columns = 1; columns <= 250; ++columns) CHECK(line_of(p, columns).size() <= columns);
  CHECK(contains(line_of(first, 250), "[========================>] 1/1"));
}

TEST_CASE("the line of an epoch shows everything when there is room") {
  CHECK(train::epoch_line(epoch_with({{"f1", 0.75}}), 1.5, 20, true, train::unlimited_columns) ==
        "epoch 12/20  loss 0.2500  train_f1 0.7500  val_loss 0.1250  val_accuracy 0.9688  val_f1 0.7500  "
        "grad_norm 1.500  lr 0.002000  1.00 s  best");
}

TEST_CASE(
    "the line of an epoch leaves out lr, the gradient norm, the time and training metrics, but no value of the "
    "validation") {
  const auto plain = epoch_with({});
  CHECK(train::epoch_line(plain, 0.5, 20, true, 99) ==
        "epoch 12/20  loss 0.2500  val_loss 0.1250  val_accuracy 0.9688  grad_norm 0.5000  1.00 s  best");
  CHECK(train::epoch_line(plain, 0.5, 20, true, 79) ==
        "epoch 12/20  loss 0.2500  val_loss 0.1250  val_accuracy 0.9688  1.00 s  best");
  CHECK(train::epoch_line(plain, 0.5, 20, false, 79) ==
        "epoch 12/20  loss 0.2500  val_loss 0.1250  val_accuracy 0.9688  1.00 s");
  CHECK(train::epoch_line(plain, 0.5, 20, true, 69) ==
        "epoch 12/20  loss 0.2500  val_loss 0.1250  val_accuracy 0.9688  best");
  CHECK(train::epoch_line(plain, 0.5, 20, true, 59) == "12/20 loss 0.2500 val_loss 0.1250 val_accuracy 0.9688 best");
  CHECK(train::epoch_line(plain, 0.5, 20, true, 39) == "12/20 loss 0.2500 val_loss 0.1250\n  val_accuracy 0.9688 best");
  const auto many = epoch_with({{"f1", 0.75}, {"recall", 0.5}, {"precision", 0.5}});
  for (std::size_t columns = 24; columns <= 200; ++columns) {
    const std::string text = train::epoch_line(many, 0.5, 20, true, columns);
    for (const std::string& line : split(text)) CHECK(line.size() <= columns);
    for (const char* name : {"val_loss", "val_accuracy", "val_f1", "val_recall", "val_precision", "best"})
      CHECK(contains(text, name));
  }
}

TEST_CASE("the numbers of an epoch have four digits, also when they are small") {
  auto stats = epoch_with({});
  stats.train_loss = 3.21e-6;
  stats.validation->loss = 1.5e-9;
  const std::string line = train::epoch_line(stats, {}, 20, false, 120);
  CHECK(contains(line, "loss 3.210e-06  val_loss 1.500e-09"));
}

TEST_CASE("the line of an activity has a bar and a count when there is room") {
  const train::Activity activity{.what = "checking the data", .done = 2000, .total = 4000};
  CHECK(train::activity_line(activity, 79) == "checking the data [============>            ] 2,000/4,000");
  CHECK(train::activity_line(activity, 39) == "checking the data [===>   ] 2,000/4,000");
  CHECK(train::activity_line(activity, 30) == "checking the data 2,000/4,000");
  CHECK(train::activity_line(activity, 20) == "checking the data");
  CHECK(train::activity_line(activity, 8) == "checking");
  CHECK(train::activity_line({.what = "LR finder", .done = 0, .total = 0}, 79) == "LR finder");
}
