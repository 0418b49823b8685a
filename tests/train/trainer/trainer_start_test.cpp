#include <csignal>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <string>

#include <doctest/doctest.h>

#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/training_state.h"

using namespace handrail;
using train::TrainerOptions;

namespace {

// The events of the sinks, in order; calls of one activity in a row count once.
struct Order : train::LogSink {
  std::vector<std::string> seen;
  std::function<void(const train::Activity&)> on_activity;

  void note(const std::string& what) {
    if (seen.empty() || seen.back() != what) seen.push_back(what);
  }
  void fit_start(const train::FitStart& event) override {
    note("summary");
    summary = event.summary;
  }
  void activity(const train::Activity& event) override {
    CHECK(event.done >= 0);
    CHECK(event.done <= event.total);
    note(event.what);
    if (on_activity) on_activity(event);
  }
  void train_start(const train::TrainStart& event) override {
    note("train_start");
    found = event.found;
  }
  void step_end(const train::StepStats&) override { note("step"); }
  void fit_end(const train::FitEnd&) override { note("end"); }
  std::vector<train::SummaryItem> summary, found;
};

// A data set of the user's own, which counts how often each sample is read.
struct Counted : train::Dataset {
  explicit Counted(const train::TensorDataset& d) : data(d), reads(static_cast<std::size_t>(d.size())) {}
  Index size() const override { return data.size(); }
  Shape input_shape() const override { return data.input_shape(); }
  Shape target_shape() const override { return data.target_shape(); }
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    for (const Index row : rows) ++reads[static_cast<std::size_t>(row)];
    data.gather(rows, batch);
  }
  train::TensorDataset data;
  mutable std::vector<int> reads;
};

std::string value_of(const std::vector<train::SummaryItem>& items, const std::string& name) {
  const auto found = std::ranges::find(items, name, &train::SummaryItem::name);
  return found == items.end() ? "" : found->value;
}

TrainerOptions in(const TempDir& dir, train::LogSinks sinks = {}) {
  return {.epochs = 2,
          .checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run"},
          .sinks = std::move(sinks)};
}

}  // namespace

TEST_CASE("the summary comes first, then what the checks and the finder do, then what they found") {
  const TempDir dir;
  const auto order = std::make_shared<Order>();
  auto model = small_model();
  Hooked trainer(model, cross_entropy, in(dir, {order}));
  trainer.fit_start = [&] { order->note("on_fit_start"); };
  const auto result = trainer.fit(Counted(points(400)));
  const std::vector<std::string> want{"summary",
                                      "on_fit_start",
                                      "reading the data",
                                      "checking the data",
                                      "checking that one batch can be learnt",
                                      "finding the learning rate",
                                      "measuring the first losses",
                                      "train_start",
                                      "step",
                                      "end"};
  CHECK(order->seen == want);
  CHECK(value_of(order->summary, "lr") == "found by a sweep before the first step");
  CHECK(contains(value_of(order->found, "lr"), "by the LR finder"));
  CHECK(value_of(result.summary, "lr") == value_of(order->found, "lr"));
}

TEST_CASE("a data set of the user's own is read once before the first step") {
  auto model = small_model();
  const Counted data(points(2000)), validation(points(500, 2));
  std::vector<int> before, before_validation;
  Hooked trainer(model, cross_entropy, quiet({.epochs = 1, .lr = 0.01, .checks = {.overfit_batch = train::off}}));
  trainer.epoch_start = [&](Index) {
    before = data.reads;
    before_validation = validation.reads;
  };
  trainer.fit(data);
  // The model's checks take the first batches, and each loader tries two rows.
  const auto once = [](const std::vector<int>& reads) { return std::ranges::count(reads, 1); };
  CHECK(std::ranges::count(before, 0) == 0);
  CHECK(once(before) > 1000);

  std::ranges::fill(data.reads, 0);
  trainer.fit(data, validation);
  CHECK(std::ranges::count(before_validation, 0) == 0);
  CHECK(once(before_validation) >= 490);
}

TEST_CASE("data that is read once is split and checked like data in memory") {
  const auto data = points(400);
  auto model = small_model(), other = small_model();
  train::Trainer(model, cross_entropy, quiet({.epochs = 2})).fit(data);
  train::Trainer(other, cross_entropy, quiet({.epochs = 2})).fit(Counted(data));
  CHECK(hash_of(model) == hash_of(other));

  const auto refused = [](const train::TensorDataset& bad, const char* text) {
    auto refusing = small_model();
    const Counted counted(bad);
    check_throws<DataError>([&] { train::Trainer(refusing, cross_entropy, quiet({.epochs = 1})).fit(counted); }, text);
  };
  refused(points_with(300, {17}, nan_value), "row 17");
  const Tensor targets = data.targets().clone();
  targets.mutable_data()[250] = 3;
  refused({data.inputs(), targets}, "row 250");
}

TEST_CASE("a signal before the first step ends the run at once, and nothing is left behind") {
  for (const std::string where : {"reading the data", "checking the data", "checking that one batch can be learnt",
                                  "finding the learning rate", "measuring the first losses"}) {
    CAPTURE(where);
    const TempDir dir;
    const auto order = std::make_shared<Order>();
    int calls = 0;
    order->on_activity = [&](const train::Activity& event) {
      if (event.what != where) return;
      if (++calls == 1) std::raise(SIGINT);
    };
    auto model = small_model();
    const auto before = hash_of(model);
    train::Trainer trainer(model, cross_entropy, in(dir, {order}));
    const auto result = trainer.fit(Counted(points(400)));
    CHECK(calls == 1);
    CHECK(result.reason == train::StopReason::interrupted);
    CHECK(result.exit_status() == 128 + SIGINT);
    CHECK(result.steps == 0);
    CHECK(result.checkpoint.empty());
    CHECK(result.run_dir.empty());
    CHECK(hash_of(model) == before);
    CHECK(order->seen.back() == "end");
    CHECK(std::filesystem::is_empty(dir.path() / "run"));
  }
}

TEST_CASE("stop() before the first step ends the run as well") {
  const TempDir dir;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, in(dir));
  trainer.fit_start = [&] { trainer.stop(); };
  const auto result = trainer.fit(points(400));
  CHECK(result.reason == train::StopReason::requested);
  CHECK(result.steps == 0);
  CHECK(std::filesystem::is_empty(dir.path() / "run"));
}

TEST_CASE("a signal within an evaluation ends it, and the resumed run comes to the same bits") {
  for (const std::int64_t interval : {1000, 7}) {  // at the end of an epoch, and within
    CAPTURE(interval);
    const TempDir dir;
    const auto options = [&] {
      auto o = in(dir);
      o.lr = 0.02;
      o.epochs = 4;
      o.val_check_interval = interval;
      return o;
    };
    struct Raising : Hooked {
      using Hooked::Hooked;
      int calls = 0, raise_at = 0;
      train::StepOutput validation_step(const train::Batch& batch) override {
        if (++calls == raise_at) std::raise(SIGTERM);
        return Hooked::training_step(batch);
      }
    };
    auto whole = small_model();
    Raising undisturbed(whole, cross_entropy, options());
    const auto finished = undisturbed.fit(points(400));
    REQUIRE(undisturbed.calls > 60);
    // The last 40 calls, one a sample, are the diagnosis of labels after the end.
    for (const int at : {undisturbed.calls / 2, undisturbed.calls - 43}) {
      auto model = small_model();
      Raising trainer(model, cross_entropy, options());
      trainer.raise_at = at;
      const auto result = trainer.fit(points(400));
      CHECK(result.reason == train::StopReason::interrupted);
      CHECK(trainer.calls == at);
      auto resumed = small_model();
      const auto end = Raising(resumed, cross_entropy, options()).resume(result.run_dir, points(400));
      CHECK(end.reason == train::StopReason::finished);
      CHECK(hash_of(resumed) == hash_of(whole));
      auto state = train::load_checkpoint(end.checkpoint), want = train::load_checkpoint(finished.checkpoint);
      state.progress.seconds = want.progress.seconds = 0;
      state.log_length = want.log_length;
      check_same(state, want);
    }
  }
}

TEST_CASE("without checkpoints metrics.csv is still written, unless it is off too") {
  const TempDir dir;
  const auto back = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  auto model = small_model();
  TrainerOptions options{.epochs = 1, .lr = 0.01, .checkpoints = train::off, .log_every_n_steps = 2, .sinks = {}};
  const auto result = train::Trainer(model, cross_entropy, options).fit(points(100));
  CHECK(result.checkpoint.empty());
  const std::string log = dir.read(result.run_dir + "/metrics.csv");
  for (const char* name : {"train_loss", "lr", "grad_norm", "val_loss"}) CHECK(contains(log, concat(',', name, ',')));
  for (const char* figure : {"grad_norm", "grad_mean", "grad_max", "update_ratio", "dead_units"})
    for (const char* layer : {"0", "2"}) CHECK(contains(log, concat("\n2,1,", figure, '/', layer, ',')));

  options.metrics_csv = "figures.csv";
  CHECK(train::Trainer(model, cross_entropy, options).fit(points(100)).run_dir.empty());
  CHECK(contains(dir.read("figures.csv"), "val_loss"));

  std::filesystem::remove_all("runs");
  options.metrics_csv = train::off;
  train::Trainer(model, cross_entropy, options).fit(points(100));
  CHECK_FALSE(std::filesystem::exists("runs"));
  std::filesystem::current_path(back);
}

TEST_CASE("a run directory that is deleted is made again and reported") {
  const TempDir dir;
  auto options = in(dir);
  options.epochs = 3;
  options.lr = 0.01;
  options.checkpoints->every_n_steps = 5;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, options);
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 17) std::filesystem::remove_all(dir.path());
  };
  const auto result = trainer.fit(points(400));
  CHECK(result.checkpoint_problem.empty());
  CHECK(find_anomaly(result, "run_directory_deleted"));
  CHECK(train::load_checkpoint(result.checkpoint).progress.step == result.steps);
  std::ifstream log(std::filesystem::path(result.run_dir) / "metrics.csv");
  std::string line;
  std::getline(log, line);
  CHECK(line == "step,epoch,name,value");
  auto resumed = small_model();
  CHECK(train::Trainer(resumed, cross_entropy, options).resume(result.run_dir, points(400)).steps == result.steps);
}

TEST_CASE("the resume of a finished run says so") {
  const TempDir dir;
  auto model = small_model();
  auto options = in(dir);
  options.lr = 0.01;
  const auto result = train::Trainer(model, cross_entropy, options).fit(points(100));
  const auto again = train::Trainer(model, cross_entropy, options).resume(result.run_dir, points(100));
  CHECK(again.steps == result.steps);
  CHECK(contains(value_of(again.summary, "resumed"), "it has finished its 2 epochs"));
  CHECK(contains(value_of(again.summary, "resumed"), "allow \"epochs\""));
}

TEST_CASE("class names are counted") {
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, quiet({.epochs = 1, .class_names = {"a", "b", "c"}}));
  check_throws<OptionError>([&] { trainer.fit(points(100)); }, "each of the 2 outputs; got 3 class_names");
}
