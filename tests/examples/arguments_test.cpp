#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "arguments/arguments.h"
#include "support/check_throws.h"

using namespace handrail;

namespace {

train::Arguments arguments(std::vector<const char*> given) {
  given.insert(given.begin(), "program");
  return {static_cast<int>(given.size()), given.data()};
}

}  // namespace

TEST_CASE("options of the trainer are read from the command line over the program's defaults") {
  auto parsed = arguments({"--epochs", "7", "--lr=0.5", "--seed", "3", "--clip-norm", "off", "--data", "here"});
  CHECK(parsed.get("data", "there") == "here");
  CHECK(parsed.get("other", "default") == "default");
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
  const auto options = parsed.options({.epochs = 1, .lr = 0.1});
  CHECK(options.checkpoints->dir == "elsewhere");
  CHECK(options.accumulate_grad_batches == 4);
  CHECK_FALSE(options.patience.has_value());
  CHECK(*options.max_seconds == 60);
  CHECK_FALSE(options.lr.has_value());
  CHECK(*options.validation_split == 0.2);
  CHECK_FALSE(arguments({"--runs", "off"}).options({.epochs = 1}).checkpoints.has_value());
  // A program that does without has none to put elsewhere.
  CHECK_FALSE(arguments({"--runs", "here"}).options({.epochs = 1, .checkpoints = train::off}).checkpoints.has_value());
}

TEST_CASE("an unknown option is an error that lists the known ones") {
  check_throws<OptionError>(
      [] {
        arguments({"--epcohs", "7"}).options({.epochs = 1});
      },
      "unknown option '--epcohs'", "--epochs", "--seed");
  check_throws<OptionError>(
      [] {
        arguments({"--epochs", "many", "--lr", "1x"}).options({.epochs = 1});
      },
      "number after '--epochs'; got 'many'", "number after '--lr'; got '1x'");
  check_throws<OptionError>([] { arguments({"epochs"}); }, "--name value", "'epochs'");
  check_throws<OptionError>([] { arguments({"--epochs"}); }, "value after '--epochs'");
  check_throws<OptionError>([] { arguments({"--seed", "1", "--seed", "2"}); }, "given twice");
  check_throws<OptionError>([] { arguments({"--threads", "0"}).options({.epochs = 1}); }, "set_num_threads");
  check_throws<OptionError>(
      [] {
        arguments({"--epochs", "0"}).options({.epochs = 1});
      },
      "epochs in [1, 1000000000]; got 0");
}
