#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include <string>
#include <vector>

#include "arguments/arguments.h"
#include "support/check_throws.h"

using namespace handrail;

namespace {

Arguments arguments(std::vector<const char*> given) {
  given.insert(given.begin(), "program");
  return {static_cast<int>(given.size()), given.data()};
}

train::TrainerOptions options(std::vector<const char*> given) {
  return arguments(std::move(given)).options({.epochs = 1});
}

std::string help() {
  try {
    auto parsed = arguments({"--help"});
    parsed.get("data", "there", "the folder of the data");
    parsed.options({.epochs = 1, .batch_size = 64});
  } catch (const Arguments::Help& text) {
    return text.what();
  }
  return {};
}

}  // namespace

TEST_CASE("options of the trainer are read from the command line over the program's defaults") {
  auto parsed = arguments({"--epochs", "7", "--lr=0.5", "--seed", "3", "--clip-norm", "off", "--data", "here"});
  CHECK(parsed.get("data", "there", "the folder of the data") == "here");
  CHECK(parsed.get("other", "default", "something else") == "default");
  const auto options = parsed.options({.epochs = 1, .batch_size = 64, .sinks = {}});
  CHECK(options.epochs == 7);
  CHECK(options.batch_size == 64);
  CHECK(*options.lr == 0.5);
  CHECK(options.seed == 3);
  CHECK_FALSE(options.clip_norm.has_value());
  CHECK(*options.warmup == 0.05);
}

TEST_CASE("the folder of the checkpoints, accumulation, patience and the time limit are options too") {
  auto parsed = arguments({"--runs", "elsewhere", "--accumulate-grad-batches", "4", "--patience", "off",
                           "--max-seconds=60", "--lr", "auto", "--validation-split", "0.2"});
  const auto given = parsed.options({.epochs = 1, .lr = 0.1});
  CHECK(given.checkpoints->dir == "elsewhere");
  CHECK(given.accumulate_grad_batches == 4);
  CHECK_FALSE(given.patience.has_value());
  CHECK(*given.max_seconds == 60);
  CHECK_FALSE(given.lr.has_value());
  CHECK(*given.validation_split == 0.2);
  CHECK_FALSE(options({"--runs", "off"}).checkpoints.has_value());
  // A folder for them turns checkpoints on where the program does without.
  CHECK(arguments({"--runs", "here"}).options({.epochs = 1, .checkpoints = off}).checkpoints->dir == "here");
  CHECK_FALSE(arguments({}).options({.epochs = 1, .checkpoints = off}).checkpoints.has_value());
}

TEST_CASE("switches, names, paths and the options of guards, checks and checkpoints are on the command line") {
  const auto given = options({"--guards-spike",
                              "off",
                              "--guards-spike-rule",
                              "documented",
                              "--checks-reach=off",
                              "--decay",
                              "linear",
                              "--lr-scaling",
                              "none",
                              "--checkpoints-every-n-steps",
                              "500",
                              "--metrics-csv",
                              "figures.csv",
                              "--drop-last",
                              "on",
                              "--stratify",
                              "off",
                              "--monitor",
                              "val_accuracy",
                              "--mode",
                              "max"});
  CHECK_FALSE(given.guards.spike);
  CHECK(given.guards.spike_rule == train::SpikeRule::documented);
  CHECK_FALSE(given.checks.reach);
  CHECK(given.decay == train::Decay::linear);
  CHECK(given.lr_scaling == train::LrScaling::none);
  CHECK(*given.checkpoints->every_n_steps == 500);
  CHECK(*given.metrics_csv == "figures.csv");
  CHECK(given.drop_last);
  CHECK_FALSE(given.stratify);
  CHECK(given.mode == train::MonitorMode::max);
}

TEST_CASE("off is refused where an option is automatic, and auto where it can be off") {
  check_throws<OptionError>(
      [] {
        options({"--clip-norm", "auto"});
      },
      "want a number|off after '--clip-norm'; got 'auto'");
  check_throws<OptionError>([] { options({"--lr", "off"}); }, "want a number|auto after '--lr'; got 'off'");
  check_throws<OptionError>([] { options({"--epochs", "off"}); }, "want a whole number after '--epochs'; got 'off'");
}

TEST_CASE("an unknown option is an error that lists the known ones") {
  check_throws<OptionError>(
      [] {
        options({"--epcohs", "7"});
      },
      "unknown option '--epcohs'", "--help lists all options");
  check_throws<OptionError>(
      [] {
        options({"--epochs", "many", "--lr", "1x"});
      },
      "number after '--epochs'; got 'many'", "after '--lr'; got '1x'");
  check_throws<OptionError>([] { options({"epochs"}); }, "--name value", "'epochs'");
  check_throws<OptionError>([] { options({"--epochs"}); }, "--epochs: 1 required");
  check_throws<OptionError>([] { options({"--seed", "1", "--seed", "2"}); }, "--seed");
  check_throws<OptionError>([] { arguments({"--data"}).get("data", "", ""); }, "--data: 1 required");
  check_throws<OptionError>([] { options({"--threads", "0"}); }, "set_num_threads");
  check_throws<OptionError>([] { options({"--epochs", "0"}); }, "epochs in [1, 1000000000]; got 0");
}

TEST_CASE("--help lists every option with its default and what it takes") {
  const std::string text = help();
  for (const char* part : {"--data", "there", "the folder of the data", "--epochs", "--batch-size", "64", "--seed",
                           "number|off", "number|auto", "on|off", "cosine|linear|constant", "--guards-slow-progress",
                           "--checks-finite", "--checkpoints-keep-last", "--threads", "--runs"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, part, " in\n", text);
}

TEST_CASE("a program ends with status 0 after --help, 2 for wrong options and 1 for other errors") {
  CHECK(exit_status("program", Arguments::Help("")) == 0);
  CHECK(exit_status("program", OptionError("an option (expected output of a test)")) == 2);
  CHECK(exit_status("program", DataError("a file (expected output of a test)")) == 1);
}
