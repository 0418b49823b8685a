#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <handrail/core/error.h>
#include <handrail/train/report/html/internal/escape.h>
#include <handrail/train/report/html/internal/html_report.h>

#include "support/failing_files.h"
#include "support/files.h"
#include "support/tasks.h"
#include "train/report/check_page.h"

using namespace handrail;
using train::html::HtmlReport;

namespace {

constexpr const char *hostile = "<script>alert(1)</script>", *harmless = "&lt;script&gt;alert(1)&lt;/script&gt;";

train::TrainerOptions options_in(const TempDir& dir) {
  auto options = bare({.epochs = 4, .batch_size = 8, .lr = 0.01});
  options.checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run", .every_n_steps = 5};
  options.metrics_csv = std::filesystem::path();
  options.log_every_n_steps = 2;
  return options;
}

train::StepStats step_at(std::int64_t step) {
  return {.step = step,
          .micro_step = step,
          .epoch = 1,
          .batch = step,
          .samples = 1,
          .loss = 1.0 / static_cast<double>(step),
          .ema_loss = 1,
          .grad_norm = 0.5,
          .lr = 1e-3,
          .updated = true};
}

}  // namespace

TEST_CASE("a run leaves a report in its directory that loads nothing and runs nothing") {
  const TempDir dir;
  auto model = small_model();
  auto options = options_in(dir);
  options.class_names = {hostile, "second"};
  train::Trainer trainer(model, cross_entropy, options);
  const auto result = trainer.fit(points(100));
  const std::string page = dir.read("run/1/report.html");
  check_page(page);
  for (const std::string part :
       {"Finished after 4 epochs", "best val_loss", "id=\"loss-t\"", "id=\"lr-t\"", "id=\"grad-norm-t\"",
        "id=\"layer-norms-t\"", "Confusion matrix", "clipped above 1", "&lt;script&gt;alert(1)"}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
  for (const auto& item : result.summary) CHECK(contains(page, train::html::escaped(item.name)));
}

TEST_CASE("with report = off there is no report, and the summary says so") {
  const TempDir dir;
  auto model = small_model();
  auto options = options_in(dir);
  options.report = train::off;
  train::Trainer trainer(model, cross_entropy, options);
  const auto result = trainer.fit(points(100));
  CHECK(!std::filesystem::exists(dir.path() / "run/1/report.html"));
  bool said = false;
  for (const auto& item : result.summary) said = said || (item.name == "report" && item.off);
  CHECK(said);
}

TEST_CASE("a run that an exception ends leaves a report that says so") {
  const TempDir dir;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, options_in(dir));
  trainer.step_end = [](const train::StepStats& stats) {
    if (stats.step == 7) throw std::runtime_error("the <disk> is on fire");
  };
  CHECK_THROWS(trainer.fit(points(100)));
  const std::string page = dir.read("run/1/report.html");
  check_page(page);
  CHECK(contains(page, "Stopped by an exception"));
  CHECK(contains(page, "the &lt;disk&gt; is on fire"));
}

TEST_CASE("after a resume the report has the curves of the sessions before") {
  const TempDir dir;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, options_in(dir));
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 30) trainer.stop();
  };
  trainer.fit(points(100));
  CHECK(contains(dir.read("run/1/report.html"), "Stopped on request"));
  trainer.step_end = {};
  trainer.resume(dir.path() / "run/1", points(100));
  const std::string page = dir.read("run/1/report.html");
  check_page(page);
  CHECK(contains(page, "The run was resumed at step 30. This is the diagnosis of the steps since then only"));
  CHECK(contains(page, "Up to step 30 the figures are those of metrics.csv"));
}

TEST_CASE("a report that cannot be written is an anomaly, and the run is as it would be without it") {
  const TempDir dir;
  auto model = small_model(), twin = small_model();
  Hooked trainer(model, cross_entropy, options_in(dir));
  trainer.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 3) std::filesystem::create_directory(dir.path() / "run/1/report.html");
  };
  const auto result = trainer.fit(points(100));
  CHECK(result.reason == train::StopReason::finished);
  REQUIRE(find_anomaly(result, "report"));
  CHECK(contains(find_anomaly(result, "report")->evidence, "report.html"));
  auto options = options_in(dir);
  options.report = train::off;
  const auto plain = train::Trainer(twin, cross_entropy, options).fit(points(100));
  CHECK(plain.train_loss == result.train_loss);
}

TEST_CASE("when the disk fails, the report before it stays whole") {
  const TempDir dir;
  HtmlReport report(dir.path() / HtmlReport::file_name);
  report.step_end(step_at(1));
  FailingFiles files;
  const train::FitEnd result{.steps = 1, .run_dir = dir.path().string()};
  CHECK(report.write(files, result, true).empty());
  const std::string before = dir.read(HtmlReport::file_name);
  for (const char* call : {"open", "write", "sync", "rename"}) {
    CAPTURE(call);
    files.failing = call;
    CHECK(contains(report.write(files, result, true), "HtmlReport"));
    CHECK(dir.read(HtmlReport::file_name).size() == before.size());
  }
}

TEST_CASE("a report of 100,000 steps and many layers with hostile names stays small and well-formed") {
  const TempDir dir;
  HtmlReport report(dir.path() / HtmlReport::file_name);
  train::LayerReport layers{.step = 0, .layers = {}};
  for (int i = 0; i < 200; ++i) layers.layers.push_back({hostile, 0.1 * i, 0, 0, 1e-3 * i, 0});
  for (std::int64_t step = 1; step <= 100'000; ++step) {
    report.step_end(step_at(step));
    if (step % 100 != 0) continue;
    layers.step = step;
    report.layers(layers);
    report.evaluated({.step = step,
                      .epoch = 1,
                      .evaluation = {.loss = 1, .samples = 5, .metrics = {{hostile, 0.5}}},
                      .monitored = 1,
                      .best = false});
  }
  train::FitEnd result{.steps = 100'000, .run_dir = "runs/<script>"};
  for (int i = 0; i < 3000; ++i)
    result.anomalies.push_back(
        {.name = hostile, .step = 33 * i, .where = hostile, .evidence = hostile, .cause = hostile, .remedy = hostile});
  CHECK(report.write(train::posix_file_system(), result, true).empty());
  const std::string page = dir.read(HtmlReport::file_name);
  check_page(page);
  CHECK(page.size() < 1'000'000);
  CHECK(contains(page, "<title>runs/&lt;script&gt;</title>"));
  CHECK(contains(page, std::string("<title>") + harmless));  // of a layer
  CHECK(contains(page, std::string("<h3>") + harmless));     // of a metric
}
