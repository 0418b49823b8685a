#include <clocale>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <handrail/train/report/sinks.h>

#include "support/files.h"
#include "train/report/sinks/events.h"

using namespace handrail;
using Json = nlohmann::json;

namespace {

std::vector<Json> objects_in(const std::string& text) {
  std::vector<Json> objects;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) objects.push_back(Json::parse(line));
  return objects;
}

std::vector<std::string> names_of(const std::vector<Json>& objects) {
  std::vector<std::string> names;
  for (const Json& object : objects) names.push_back(object.at("event"));
  return names;
}

train::Anomaly spike() {
  return {.name = "spike",
          .step = 3,
          .where = "row 7",
          .evidence = "loss 9",
          .cause = "the data",
          .remedy = "look",
          .action = train::Action::reduce_lr,
          .details = "more",
          .rank = train::Rank::bad_row,
          .severity = train::Severity::warning,
          .lr_factor = 0.25,
          .effects = {"dead_units"}};
}

}  // namespace

TEST_CASE("json_lines has an object for each event, with every field of it") {
  const TempDir dir;
  const auto sink = train::json_lines(dir.path() / "new" / "run.jsonl");
  sink->fit_start(start_event());
  sink->train_start({.found = {{"lr", "0.1"}}});
  sink->step_end(step_event(1, 0.9));
  log_step(*sink, 2, 0.5);
  sink->anomaly(spike());
  sink->evaluated(evaluation_event(2, 0.25));
  sink->epoch_end(epoch_event(2, 0.4));
  train::FitEnd end{.reason = train::StopReason::early_stopping, .steps = 2, .anomalies = {spike()}};
  end.best = train::Best{.epoch = 1, .step = 2, .value = 0.25, .evaluation = evaluation_event(2, 0.25).evaluation};
  sink->fit_end(end);
  sink->repair({.fix = "lr", .anomaly = "spike", .before = 1, .done = true, .after = 0.5, .kept = true});
  sink->refit({.kept = false, .reason = "no", .rows = 4});
  sink->part_end({.kind = "fold", .number = 1, .count = 5, .fit = end});
  const auto objects = objects_in(dir.read("new/run.jsonl"));
  CHECK(names_of(objects) == std::vector<std::string>{"fit_start", "train_start", "step", "layers", "anomaly",
                                                      "evaluated", "epoch_end", "fit_end", "repair", "refit",
                                                      "part_end"});
  for (const Json& object : objects) CHECK(object.at("time").get<double>() > 1.6e9);
  const Json &start = objects[0], &step = objects[2], &anomaly = objects[4], &evaluated = objects[5];
  CHECK(start.at("planned_steps") == 62);
  CHECK(start.at("resumed") == false);
  CHECK(start.at("summary")[1] ==
        Json({{"name", "clip"}, {"value", "gradients may explode"}, {"off", true}, {"limit", false}}));
  CHECK(step.at("step") == 2);
  CHECK(step.at("loss") == 0.5);
  CHECK(step.at("lr") == 1e-3);
  CHECK(objects[3].at("layers")[0] == Json({{"name", "hidden"},
                                            {"grad_norm", 0.5},
                                            {"grad_mean", -0.25},
                                            {"grad_max", 1.0},
                                            {"update_ratio", 1e-3},
                                            {"dead_units", 0.125}}));
  Json found = anomaly;
  found.erase("event");
  found.erase("time");
  CHECK(found == Json({{"name", "spike"},
                       {"severity", "warning"},
                       {"step", 3},
                       {"where", "row 7"},
                       {"evidence", "loss 9"},
                       {"cause", "the data"},
                       {"remedy", "look"},
                       {"action", "reduce_lr"},
                       {"lr_factor", 0.25},
                       {"details", "more"},
                       {"rank", "bad_row"},
                       {"effects", Json::array({"dead_units"})}}));
  CHECK(evaluated.at("evaluation") == Json({{"loss", 0.25},
                                            {"accuracy", 0.5},
                                            {"calibration_error", nullptr},
                                            {"samples", 4},
                                            {"metrics", {{"f1", 0.75}}}}));
  CHECK(objects[6].at("metrics") == Json({{"mae", 6.0}}));
  CHECK(objects[7].at("reason") == "early_stopping");
  CHECK(objects[7].at("best").at("step") == 2);
  CHECK(objects[7].at("anomalies")[0] == found);
  CHECK(objects[8].at("after") == 0.5);
  CHECK(objects[8].at("difference_low").is_null());
  CHECK(objects[10].at("fit").at("steps") == 2);
  CHECK(objects[10].at("test").is_null());
}

TEST_CASE("json_lines is JSON whatever the values, the names and the locale are") {
  struct Commas : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
  const TempDir dir;
  const auto sink = train::json_lines(dir.path() / "run.jsonl");
  sink->fit_start(start_event());
  auto step = step_event(12345, std::numeric_limits<double>::quiet_NaN());
  step.grad_norm = std::numeric_limits<double>::infinity();
  sink->step_end(step);
  sink->layers(layer_event(12345));
  auto anomaly = spike();
  anomaly.where = "bad \xff byte, \x1b[31m, \"quotes\" and\na line";
  sink->anomaly(anomaly);
  std::locale::global(before);
  const std::string text = dir.read("run.jsonl");
  CHECK(text.find('\x1b') == std::string::npos);
  const auto objects = objects_in(text);
  REQUIRE(objects.size() == 4);
  CHECK(objects[1].at("step") == 12345);
  CHECK(objects[1].at("ema_loss") == 0.75);
  CHECK(objects[1].at("loss").is_null());
  CHECK(objects[1].at("grad_norm").is_null());
  CHECK(objects[3].at("where") == "bad \xef\xbf\xbd byte, \x1b[31m, \"quotes\" and\na line");
}

TEST_CASE("json_lines of a run that is resumed appends and says from which step, and a new run begins anew") {
  const TempDir dir;
  const auto path = dir.write("run.jsonl", "{\"event\":\"of another run\"}\n");
  const auto run = [&](const train::FitStart& start) {
    const auto sink = train::json_lines(path);
    sink->fit_start(start);
    log_step(*sink, 30, 0.5);
    return objects_in(dir.read("run.jsonl"));
  };
  CHECK(names_of(run(start_event())) == std::vector<std::string>{"fit_start", "step", "layers"});
  const auto objects = run(resumed_event(20));
  CHECK(names_of(objects) == std::vector<std::string>{"fit_start", "step", "layers", "fit_start", "step", "layers"});
  CHECK(objects[3].at("resumed") == true);
  CHECK(objects[3].at("step") == 20);
}

TEST_CASE(
    "json_lines keeps an anomaly from before fit_start, the further fits of a sink, and folds without fit_start") {
  const TempDir dir;
  const auto sink = train::json_lines(dir.write("run.jsonl", "old"));
  sink->anomaly(spike());
  sink->fit_start(start_event());
  sink->fit_end({});
  sink->fit_start(start_event());
  CHECK(names_of(objects_in(dir.read("run.jsonl"))) ==
        std::vector<std::string>{"fit_start", "anomaly", "fit_end", "fit_start"});
  const auto folds = train::json_lines(dir.write("folds.jsonl", "old"));
  folds->part_end({.kind = "fold", .number = 1, .count = 2, .fit = {}});
  folds->part_end({.kind = "fold", .number = 2, .count = 2, .fit = {}});
  CHECK(names_of(objects_in(dir.read("folds.jsonl"))) == std::vector<std::string>{"part_end", "part_end"});
}
