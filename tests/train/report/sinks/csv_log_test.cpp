#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "train/report/sinks/events.h"
#include "support/tasks.h"

using namespace handrail;
namespace fs = std::filesystem;

namespace {

// The lines without the column samples_per_second, which is another one in every run.
std::vector<std::string> rows_of(const std::string& text) {
  std::vector<std::string> rows;
  std::istringstream lines(text);
  std::size_t speed = 6;
  for (std::string line; std::getline(lines, line);) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < speed; ++i) at = line.find(',', at) + 1;
    const std::size_t end = std::min(line.find(',', at), line.size());
    rows.push_back(line.substr(0, at) + "*" + line.substr(end));
  }
  return rows;
}

}  // namespace

TEST_CASE("csv_log has a column for each figure and a row for each step that was logged or evaluated") {
  const TempDir dir;
  const auto sink = train::csv_log(dir.path() / "new" / "run.csv");
  sink->fit_start(start_event());
  log_step(*sink, 10, 0.5);
  log_step(*sink, 20, 0.1 + 0.2);
  sink->evaluated(evaluation_event(20, 0.25));
  sink->step_end(step_event(21, 0.4));
  log_step(*sink, 30, 0.3);
  sink->step_end(step_event(31, 0.2));
  sink->evaluated(evaluation_event(31, 0.125));
  sink->epoch_end(epoch_event(31, 0.4));
  sink->fit_end({});
  CHECK(rows_of(dir.read("new/run.csv")) ==
        std::vector<std::string>{
            "step,epoch,train_loss,ema_loss,lr,grad_norm,*,val_loss,val_accuracy,val_f1,train_loss_epoch,train_mae",
            "10,1,0.5,0.75,0.001,2,*,,,,,", "20,1,0.30000000000000004,0.75,0.001,2,*,0.25,0.5,0.75,,",
            "30,1,0.3,0.75,0.001,2,*,,,,,", "31,1,0.2,0.75,0.001,2,*,0.125,0.5,0.75,0.4,6"});
}

TEST_CASE("csv_log shows a row as soon as the next step is made, and makes rows rectangular when a column comes late") {
  const TempDir dir;
  const auto sink = train::csv_log(dir.path() / "run.csv");
  sink->fit_start(start_event());
  log_step(*sink, 10, 0.5);
  sink->step_end(step_event(11, 0.4));
  const auto before = rows_of(dir.read("run.csv"));
  CHECK(before == std::vector<std::string>{"step,epoch,train_loss,ema_loss,lr,grad_norm,*", "10,1,0.5,0.75,0.001,2,*"});
  sink->evaluated(evaluation_event(11, 0.25));
  sink->step_end(step_event(12, 0.4));
  for (const std::string& row : rows_of(dir.read("run.csv"))) CHECK(std::ranges::count(row, ',') == 9);
}

TEST_CASE("names of metrics break neither a line nor a column of csv_log, nor do they reach a terminal") {
  const TempDir dir;
  const auto sink = train::csv_log(dir.path() / "run.csv");
  sink->fit_start(start_event());
  auto event = evaluation_event(0, 0.25);
  event.evaluation.metrics = {{"a,b", 1}, {"two\nlines \x1b[31m", 2}, {"say \"hi\"", 3}};
  sink->evaluated(event);
  sink->fit_end({});
  const std::string text = dir.read("run.csv");
  CHECK(text.find("\"val_a,b\",val_two\\x0alines \\x1b[31m,\"val_say \"\"hi\"\"\"\n") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(std::ranges::count(text, '\n') == 2);
}

TEST_CASE("csv_log of a run that is resumed cuts the rows after the checkpoint and appends to its columns") {
  const TempDir dir;
  {
    const auto sink = train::csv_log(dir.path() / "run.csv");
    sink->fit_start(start_event());
    log_step(*sink, 10, 0.5);
    sink->evaluated(evaluation_event(10, 0.25));
    log_step(*sink, 20, 0.4);
    log_step(*sink, 30, 0.3);
    sink->fit_end({});
  }
  dir.write("run.csv", dir.read("run.csv") + "40,1,half a l");
  const auto whole = rows_of(dir.read("run.csv"));
  const auto sink = train::csv_log(dir.path() / "run.csv");
  sink->fit_start(resumed_event(20));
  log_step(*sink, 30, 0.25);
  sink->fit_end({});
  CHECK(sink->take_problem().empty());
  auto want = std::vector(whole.begin(), whole.begin() + 3);
  want.push_back("30,1,0.25,0.75,0.001,2,*,,,");
  CHECK(rows_of(dir.read("run.csv")) == want);
}

TEST_CASE("csv_log leaves a file with other columns alone on resume and says so, and a new run begins anew") {
  const TempDir dir;
  const auto path = dir.write("run.csv", "a,b\n1,2\n");
  const auto sink = train::csv_log(path);
  sink->fit_start(resumed_event(20));
  log_step(*sink, 30, 0.25);
  sink->fit_end({});
  CHECK(dir.read("run.csv") == "a,b\n1,2\n");
  CHECK(contains(sink->take_problem(), "it has other columns"));
  CHECK(sink->take_problem().empty());
  sink->fit_start(start_event());
  log_step(*sink, 30, 0.25);
  sink->fit_end({});
  CHECK(rows_of(dir.read("run.csv")).size() == 2);
}

TEST_CASE("a run logs to csv_log what metrics.csv has, and the sink changes no bit of it") {
  const TempDir dir;
  const auto fit = [&](train::LogSinks sinks) {
    auto model = small_model();
    auto options = bare({.epochs = 3, .batch_size = 8, .lr = 0.01, .log_every_n_steps = 2});
    options.metrics_csv = dir.path() / "metrics.csv";
    options.sinks = std::move(sinks);
    train::Trainer trainer{model, cross_entropy, options};
    return trainer.fit(points(40)).train_loss;
  };
  const double without = fit({});
  CHECK(fit({train::csv_log(dir.path() / "run.csv")}) == without);
  const std::string wide = dir.read("run.csv"), tall = dir.read("metrics.csv");
  const std::string header = wide.substr(0, wide.find('\n'));
  CHECK(header ==
        "step,epoch,train_loss,ema_loss,lr,grad_norm,samples_per_second,val_loss,val_accuracy,train_loss_epoch");
  std::istringstream lines(wide);
  std::string row;
  std::getline(lines, row);
  int count = 0;
  for (; std::getline(lines, row); ++count) {
    std::istringstream cells(row);
    std::string step, epoch, loss;
    std::getline(std::getline(std::getline(cells, step, ','), epoch, ','), loss, ',');
    if (std::stoi(step) % 2 == 0) CHECK(contains(tall, concat(step, ",", epoch, ",train_loss,", loss, "\n")));
  }
  CHECK(count >= 7);
}

TEST_CASE("a run whose sink would write to a link or a pipe is refused before anything has changed") {
  const TempDir dir;
  const auto target = dir.write("target", "precious");
  fs::create_symlink(target, dir.path() / "link");
  REQUIRE(mkfifo((dir.path() / "pipe").c_str(), 0600) == 0);
  for (const char* name : {"link", "pipe"}) {
    auto model = small_model();
    auto options = quiet({.epochs = 1, .lr = 0.01});
    options.checkpoints = train::CheckpointOptions{.dir = dir.path() / "runs"};
    options.sinks = {train::csv_log(dir.path() / name)};
    train::Trainer trainer{model, cross_entropy, options};
    check_throws<CheckpointError>([&] { trainer.fit(points(40)); }, "csv_log: want a regular file or none at", name,
                                  "give it another path");
    CHECK(!fs::exists(dir.path() / "runs"));
  }
  CHECK(dir.read("target") == "precious");
}

TEST_CASE("a sink that cannot write does not end a run: it is reported once") {
  const TempDir dir;
  // The path is looked at before the run: it becomes bad after that.
  struct Blocking : train::LogSink {
    explicit Blocking(fs::path to_block) : path(std::move(to_block)) {}
    void fit_start(const train::FitStart&) override { std::ofstream(path) << "no directory"; }
    fs::path path;
  };
  auto model = small_model();
  auto options = bare({.epochs = 3, .batch_size = 8, .lr = 0.01, .log_every_n_steps = 1});
  options.sinks = {std::make_shared<Blocking>(dir.path() / "folder"),
                   train::csv_log(dir.path() / "folder" / "run.csv")};
  train::Trainer trainer{model, cross_entropy, options};
  const auto result = trainer.fit(points(40));
  CHECK(result.reason == train::StopReason::finished);
  CHECK(result.anomaly_counts.at("metrics_log") == 1);
  CHECK(contains(find_anomaly(result, "metrics_log")->evidence, "csv_log"));
}
