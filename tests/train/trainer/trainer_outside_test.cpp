// What a program gets from outside: its locale, and names, paths and files that somebody else has made.
#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <locale>
#include <memory>
#include <string>

#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::TrainerOptions;

namespace {

// As in Germany: 1.234,5.
struct Commas : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

// While it lives, numbers are written with commas.
struct CommaLocale {
  std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
  CommaLocale() = default;
  ~CommaLocale() { std::locale::global(before); }
  CommaLocale(const CommaLocale&) = delete;
  CommaLocale& operator=(const CommaLocale&) = delete;
};

TrainerOptions options_in(const std::filesystem::path& runs) {
  return {.epochs = 2,
          .lr = 0.0123,
          .checkpoints = train::CheckpointOptions{.dir = runs, .name = "run"},
          .normalization = train::Normalization{.mean = 1234.5, .stddev = 0.25},
          .sinks = {}};
}

// All that was printed to a file.
std::string text_of(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

bool is_plain(const std::string& text) {
  return std::ranges::none_of(text, [](unsigned char c) { return (c < 0x20 && c != '\n') || c == 0x7F; });
}

}  // namespace

TEST_CASE("the locale of the program is in no message and no file, and does not keep a run from being resumed") {
  const TempDir dir;
  const auto data = points(1300);
  const auto run = [&](const char* runs) {
    auto model = small_model();
    Hooked trainer(model, cross_entropy, options_in(dir.path() / runs));
    trainer.step_end = [&](const train::StepStats& stats) {
      if (stats.step == 40) trainer.stop();
    };
    return trainer.fit(data);
  };
  const auto plain = run("plain");
  std::string message, table;
  {
    const CommaLocale commas;
    const auto other = run("commas");
    REQUIRE(other.summary.size() == plain.summary.size());
    for (std::size_t i = 0; i < plain.summary.size(); ++i)
      if (plain.summary[i].name != "checkpoints" && plain.summary[i].name != "metrics_csv")
        CHECK(other.summary[i].value == plain.summary[i].value);
    message = concat(12345, " ", 0.5);
    train::Confusion confusion(2);
    for (int i = 0; i < 1000; ++i) confusion.add(0, 1);
    table = confusion.text();

    auto model = small_model();
    train::Trainer resumed(model, cross_entropy, options_in(dir.path() / "plain"));
    CHECK(resumed.resume(plain.run_dir, data).reason == train::StopReason::finished);
    auto twin = small_model();
    train::Trainer whole(twin, cross_entropy, options_in(dir.path() / "whole"));
    whole.fit(data);
    CHECK(dir.read("plain/run/1/metrics.csv") == dir.read("whole/run/1/metrics.csv"));
    CHECK(hash_of(model) == hash_of(twin));
  }
  CHECK(message == "12345 0.5");
  CHECK(contains(table, "1000"));
  auto model = small_model();
  train::Trainer resumed(model, cross_entropy, options_in(dir.path() / "commas"));
  CHECK(resumed.resume(dir.path() / "commas" / "run" / "1", data).reason == train::StopReason::finished);
}

TEST_CASE("names and paths cannot control the terminal that a run reports to") {
  struct Named {
    std::string name() const { return "\x1b]0;title\x07\nfake line"; }
    void add(const Tensor&, const Tensor&) {}
    double result() const { return 1; }
  };
  const TempDir dir;
  auto model = small_model();
  std::FILE* file = std::tmpfile();
  REQUIRE(file);
  TrainerOptions options = options_in(dir.path() / "a\x1b[2Jb");
  options.metrics = {Named{}};
  options.class_names = {"\x1b[31mred", "blue\x7f"};
  options.sinks = {train::console(file)};
  Hooked trainer(model, cross_entropy, options);
  trainer.anomaly = [](const train::Anomaly& found) {
    CHECK(is_plain(found.text()));
    return found.action;
  };
  // The anomaly about the deleted directory names its path.
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 20) std::filesystem::remove_all(dir.path() / "a\x1b[2Jb");
  };
  const auto result = trainer.fit(points(400));
  CHECK(find_anomaly(result, "run_directory_deleted"));
  const std::string printed = text_of(file);
  std::fclose(file);
  CHECK(is_plain(printed));
  CHECK(contains(printed, "a\\x1b[2Jb"));
  CHECK(contains(printed, "val_\\x1b]0;title\\x07\\x0afake line"));
  CHECK(is_plain(result.diagnosis_text()));
  for (const train::SummaryItem& item : result.summary) CHECK(is_plain(item.value));
  CHECK(is_plain(trainer.evaluate(points(100)).confusion().text(options.class_names)));
  check_throws<CheckpointError>([&] { trainer.load_model(dir.path() / "no\x1b[2J"); }, "no\\x1b[2J");
}

TEST_CASE("metrics.csv that is a link or a pipe is refused before anything has changed") {
  const TempDir dir;
  const auto target = dir.write("target", "precious");
  auto options = options_in(dir.path() / "runs");
  std::filesystem::create_symlink(target, dir.path() / "link.csv");
  options.metrics_csv = dir.path() / "link.csv";
  auto model = small_model();
  const auto before = hash_of(model);
  train::Trainer trainer(model, cross_entropy, options);
  check_throws<CheckpointError>([&] { trainer.fit(points(400)); }, "want a regular file or none at", "link.csv");
  CHECK_FALSE(std::filesystem::exists(dir.path() / "runs"));

  options = options_in(dir.path() / "runs");
  options.epochs = 1;
  auto trained = small_model();
  const auto run_dir = train::Trainer(trained, cross_entropy, options).fit(points(400)).run_dir;
  const auto log = std::filesystem::path(run_dir) / "metrics.csv";
  const auto refused = [&] {
    train::Trainer again(model, cross_entropy, options);
    check_throws<CheckpointError>([&] { again.resume(run_dir, points(400), {.allow = {"epochs"}}); },
                                  "want a regular file or none at", "metrics.csv");
    CHECK(hash_of(model) == before);
  };
  std::filesystem::remove(log);
  std::filesystem::create_symlink(target, log);
  refused();
  std::filesystem::remove(log);
  REQUIRE(mkfifo(log.c_str(), 0600) == 0);
  refused();
  CHECK(dir.read("target") == "precious");
}

TEST_CASE("a run that cannot make metrics.csv leaves no directory behind") {
  const TempDir dir;
  auto options = options_in(dir.path() / "runs");
  options.metrics_csv = dir.path() / "none" / "metrics.csv";
  auto model = small_model();
  train::Trainer trainer(model, cross_entropy, options);
  check_throws<CheckpointError>([&] { trainer.fit(points(400)); }, "cannot make");
  CHECK_FALSE(std::filesystem::exists(dir.path() / "runs" / "run" / "1"));
}

TEST_CASE("the directories of a run belong to its user alone") {
  const TempDir dir;
  const mode_t mask = umask(0);
  auto model = small_model();
  const auto result = train::Trainer(model, cross_entropy, options_in(dir.path() / "runs")).fit(points(100));
  umask(mask);
  for (const std::filesystem::path& made : {dir.path() / "runs", std::filesystem::path(result.run_dir)}) {
    struct stat status {};
    REQUIRE(stat(made.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
  }
}
