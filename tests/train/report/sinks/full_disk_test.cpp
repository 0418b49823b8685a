#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/failing_files.h"
#include "support/files.h"
#include "support/tasks.h"
#include "train/report/sinks/events.h"

using namespace handrail;
namespace fs = std::filesystem;

namespace {

constexpr const char* kinds[] = {"csv_log", "json_lines", "tensorboard"};

// A sink of that kind, with its file in a folder of its own.
struct Logged {
  Logged(const TempDir& where, const char* which)
      : dir(where),
        kind(which),
        folder(dir.path() / kind),
        sink(kind == "csv_log"      ? train::csv_log(folder / "run.csv")
             : kind == "json_lines" ? train::json_lines(folder / "run.jsonl")
                                    : train::tensorboard(folder)) {}

  std::string bytes() const { return dir.read(fs::directory_iterator(folder)->path().string()); }

  // Whether the file begins as it has to and consists of whole lines or records.
  bool is_whole() const {
    const std::string text = bytes();
    if (kind == "csv_log" && !text.starts_with("step,epoch,")) return false;
    if (kind != "tensorboard") return text.ends_with('\n');
    std::size_t at = 0;
    for (std::uint64_t length = 0; at + sizeof length < text.size(); at += sizeof length + 4 + length + 4)
      std::memcpy(&length, text.data() + at, sizeof length);
    return at == text.size() && text.find("brain.Event:2") < 40;
  }

  const TempDir& dir;
  std::string kind;
  fs::path folder;
  std::shared_ptr<train::LogSink> sink;
};

// Steps that are logged; the row of the last one is written by the next step.
void log_steps(train::LogSink& sink, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step <= last; ++step) log_step(sink, step, 0.5);
  sink.step_end(step_event(last + 1, 0.5));
}

}  // namespace

TEST_CASE("a full disk costs a log what does not fit, is told once, and the log goes on when there is room") {
  for (const char* kind : kinds) {
    CAPTURE(kind);
    const TempDir dir;
    const Logged log(dir, kind);
    log.sink->fit_start(start_event());
    log_steps(*log.sink, 1, 2);
    const std::size_t before = log.bytes().size();
    {
      const LimitedFileSize limit(before + 10);
      log_steps(*log.sink, 4, 9);
    }
    CHECK(log.bytes().size() == before);
    CHECK(log.is_whole());
    const std::string problem = log.sink->take_problem();
    CHECK(contains(problem, std::string(kind) + ": cannot write to"));
    CHECK(contains(problem, log.folder.string()));
    log_steps(*log.sink, 20, 21);
    CHECK(log.bytes().size() > before);
    CHECK(log.is_whole());
    CHECK(log.sink->take_problem().empty());
  }
}

TEST_CASE("csv_log begins with its header even when that found no room at first") {
  const TempDir dir;
  const Logged log(dir, "csv_log");
  log.sink->fit_start(start_event());
  {
    const LimitedFileSize limit(10);
    log_steps(*log.sink, 1, 2);
  }
  CHECK(log.bytes().empty());
  log_steps(*log.sink, 4, 5);
  CHECK(log.is_whole());
  CHECK(contains(log.bytes(), "\n4,1,"));
}

TEST_CASE("a run on a full disk is the same run, and its anomaly metrics_log says which log is incomplete") {
  auto options = bare({.epochs = 2, .batch_size = 8, .lr = 0.01});
  options.log_every_n_steps = 1;
  auto twin = small_model();
  const auto plain = train::Trainer(twin, cross_entropy, options).fit(points(100));
  for (const char* kind : kinds) {
    CAPTURE(kind);
    const TempDir dir;
    const Logged log(dir, kind);
    options.sinks = {log.sink};
    auto model = small_model();
    train::Trainer trainer(model, cross_entropy, options);
    const LimitedFileSize limit(2000);
    const auto result = trainer.fit(points(100));
    CHECK(result.reason == train::StopReason::finished);
    CHECK(result.train_loss == plain.train_loss);
    REQUIRE(find_anomaly(result, "metrics_log"));
    CHECK(contains(find_anomaly(result, "metrics_log")->evidence, kind));
    CHECK(result.anomaly_counts.at("metrics_log") == 1);
    CHECK(log.is_whole());
  }
}

TEST_CASE("a log that is deleted in the meantime is made again from its beginning, and that is told") {
  for (const char* kind : kinds) {
    CAPTURE(kind);
    const TempDir dir;
    const Logged log(dir, kind);
    log.sink->fit_start(start_event());
    log_steps(*log.sink, 1, 2);
    fs::remove_all(log.folder);
    log_steps(*log.sink, 4, 5);
    REQUIRE(fs::exists(log.folder));
    CHECK(log.is_whole());
    CHECK(contains(log.sink->take_problem(), "was deleted"));
    const std::size_t before = log.bytes().size();
    log_steps(*log.sink, 7, 8);
    CHECK(log.bytes().size() > before);
    CHECK(log.is_whole());
  }
}
