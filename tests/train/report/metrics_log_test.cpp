#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include <doctest/doctest.h>

#include <handrail/core/error.h>
#include <handrail/train/report/internal/metrics_log.h>

#include "support/check_throws.h"
#include "support/failing_files.h"
#include "support/files.h"

using namespace handrail;
using train::MetricsLog;

namespace {

train::StepStats step(std::int64_t number, double loss) {
  return {.step = number,
          .micro_step = number,
          .epoch = 1,
          .batch = number,
          .samples = 1,
          .loss = loss,
          .ema_loss = loss,
          .grad_norm = 0.1,
          .lr = 1e-3,
          .updated = true};
}

std::string text_in(const TempDir& dir) { return dir.read(MetricsLog::file_name); }

const std::string begun = "step,epoch,name,value\n2,1,train_loss,0.3\n2,1,lr,0.001\n2,1,grad_norm,0.1\n";

}  // namespace

TEST_CASE("the log has a line for each figure, which reads back the same") {
  const TempDir dir;
  MetricsLog log(dir.path() / MetricsLog::file_name, 2, 0, train::posix_file_system());
  for (std::int64_t number = 1; number <= 3; ++number)
    log.step_end(step(number, 0.1 * static_cast<double>(number + 1)));
  log.evaluated({.step = 3,
                 .epoch = 1,
                 .evaluation = {.loss = 1.0 / 3, .measured_accuracy = 0.5, .samples = 4, .metrics = {{"f1", 2}}},
                 .monitored = 1,
                 .best = true});
  log.epoch_end(
      {.epoch = 1, .step = 3, .lr = 1, .train_loss = 5, .metrics = {{"mae", 6}}, .validation = {}, .seconds = 1});
  std::istringstream lines(text_in(dir));
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);) found.push_back(line);
  CHECK(found == std::vector<std::string>{"step,epoch,name,value", "2,1,train_loss,0.30000000000000004", "2,1,lr,0.001",
                                          "2,1,grad_norm,0.1", "3,1,val_loss,0.3333333333333333",
                                          "3,1,val_accuracy,0.5", "3,1,val_f1,2", "3,1,train_loss_epoch,5",
                                          "3,1,train_mae,6"});
}

TEST_CASE("the log has five lines for each layer of a report, beside the figures of the same step") {
  const TempDir dir;
  MetricsLog log(dir.path() / MetricsLog::file_name, 2, 0, train::posix_file_system());
  const auto layer = [](const char* name, double x) {
    return train::LayerStats{
        .name = name, .grad_norm = x, .grad_mean = -x, .grad_max = 2 * x, .update_ratio = x / 100, .dead_units = x / 8};
  };
  log.step_end(step(2, 0.3));
  log.layers({.step = 2, .layers = {layer("hidden.0", 1), layer("a,b", 2)}});
  log.layers({.step = 4, .layers = {layer("hidden.0", 3), layer("a,b", 4)}});
  log.sync();
  CHECK(text_in(dir) == begun +
                            "2,1,grad_norm/hidden.0,1\n2,1,grad_mean/hidden.0,-1\n2,1,grad_max/hidden.0,2\n"
                            "2,1,update_ratio/hidden.0,0.01\n2,1,dead_units/hidden.0,0.125\n"
                            "2,1,\"grad_norm/a,b\",2\n2,1,\"grad_mean/a,b\",-2\n2,1,\"grad_max/a,b\",4\n"
                            "2,1,\"update_ratio/a,b\",0.02\n2,1,\"dead_units/a,b\",0.25\n"
                            "4,1,grad_norm/hidden.0,3\n4,1,grad_mean/hidden.0,-3\n4,1,grad_max/hidden.0,6\n"
                            "4,1,update_ratio/hidden.0,0.03\n4,1,dead_units/hidden.0,0.375\n"
                            "4,1,\"grad_norm/a,b\",4\n4,1,\"grad_mean/a,b\",-4\n4,1,\"grad_max/a,b\",8\n"
                            "4,1,\"update_ratio/a,b\",0.04\n4,1,\"dead_units/a,b\",0.5\n");
}

TEST_CASE("names of metrics break no line and no column") {
  const TempDir dir;
  MetricsLog log(dir.path() / MetricsLog::file_name, 1, 0, train::posix_file_system());
  for (const char* name : {"a,b", "say \"hi\"", "two\nlines\t", ""})
    log.epoch_end(
        {.epoch = 1, .step = 1, .lr = 1, .train_loss = 5, .metrics = {{name, 6}}, .validation = {}, .seconds = 1});
  const std::string text = text_in(dir);
  CHECK(std::ranges::count(text, '\n') == 9);
  for (const char* want : {"1,1,\"train_a,b\",6\n", "1,1,\"train_say \"\"hi\"\"\",6\n",
                           "1,1,train_two\\x0alines\\x09,6\n", "1,1,train_,6\n"}) {
    CAPTURE(want);
    CHECK(text.find(want) != std::string::npos);
  }
}

TEST_CASE("a resumed log appends after the lines that belong to the checkpoint") {
  const TempDir dir;
  std::uint64_t length = 0;
  {
    MetricsLog log(dir.path() / MetricsLog::file_name, 1, 0, train::posix_file_system());
    log.step_end(step(2, 0.3));
    length = log.length();
    log.sync();
    log.step_end(step(3, 0.2));
  }
  CHECK(length == begun.size());
  CHECK(text_in(dir).size() > length);
  {
    MetricsLog log(dir.path() / MetricsLog::file_name, 1, length, train::posix_file_system());
    CHECK(log.take_problem().empty());
    CHECK(text_in(dir) == begun);
    log.step_end(step(3, 0.2));
  }
  CHECK(text_in(dir) == begun + "3,1,train_loss,0.2\n3,1,lr,0.001\n3,1,grad_norm,0.1\n");

  dir.write(MetricsLog::file_name, begun.substr(0, 30));
  MetricsLog cut(dir.path() / MetricsLog::file_name, 1, length, train::posix_file_system());
  CHECK(cut.take_problem().find(concat("has 30 bytes; when the checkpoint was written it had ", length)) !=
        std::string::npos);
  CHECK(cut.take_problem().empty());
}

TEST_CASE("a log that cannot be written keeps whole lines only, reports the problem, and continues") {
  const TempDir dir;
  FailingFiles files;
  MetricsLog log(dir.path() / MetricsLog::file_name, 1, 0, files);
  log.step_end(step(2, 0.3));
  log.sync();
  CHECK(text_in(dir) == begun);
  CHECK(log.take_problem().empty());

  files.failing = "write";
  log.step_end(step(3, 0.2));
  log.sync();
  CHECK(text_in(dir) == begun);
  const std::string problem = log.take_problem();
  CHECK(problem.find("cannot write") != std::string::npos);
  CHECK(problem.find("No space left on device") != std::string::npos);
  CHECK(log.length() == begun.size());

  files.failing.clear();
  files.most_written = 5;
  files.interruptions = 3;
  log.step_end(step(4, 0.1));
  log.sync();
  CHECK(log.take_problem().empty());
  CHECK(text_in(dir) == begun + "4,1,train_loss,0.1\n4,1,lr,0.001\n4,1,grad_norm,0.1\n");
}

TEST_CASE("a log is not written to a link, a pipe, a device or a directory") {
  const TempDir dir;
  const auto target = dir.write("target", "precious"), path = dir.path() / "metrics.csv";
  const auto refused = [&](const std::filesystem::path& there) {
    check_throws<CheckpointError>([&] { MetricsLog(there, 1, 0, train::posix_file_system()); },
                                  "want a regular file or none at", there.string(), "set metrics_csv to another path");
  };
  std::filesystem::create_symlink(target, path);
  refused(path);
  CHECK(dir.read("target") == "precious");
  std::filesystem::remove(path);
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  refused(path);  // without a reader, for which an open would wait
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  refused(path);
  close(reader);
  refused("/dev/null");
  refused(dir.path());
}

TEST_CASE("a log that cannot be created is an error that names its file") {
  const TempDir dir;
  check_throws<CheckpointError>(
      [&] { MetricsLog(dir.path() / "none" / "metrics.csv", 1, 0, train::posix_file_system()); }, "cannot make",
      "metrics.csv", "No such file");
}
