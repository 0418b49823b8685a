#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/check_throws.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

TEST_CASE("the defaults are valid, and so is each opt-out") {
  train::validate({.epochs = 1});
  train::validate({.epochs = 1,
                   .lr = train::automatic,
                   .warmup = off,
                   .check_warmup = off,
                   .weight_decay = off,
                   .decay_exempt = off,
                   .clip_norm = off,
                   .ema_beta = off,
                   .validation_split = off,
                   .stratify = off,
                   .patience = off,
                   .restore_best = off,
                   .checkpoints = off,
                   .sinks = {}});
}

TEST_CASE("options that do not fit are all listed at once, before anything runs") {
  auto model = small_model();
  check_throws<OptionError>(
      [&] {
        train::Trainer(
            model, cross_entropy,
            {.epochs = 0, .batch_size = 0, .lr = -1.0, .warmup = 0.5, .clip_norm = 0.0, .validation_split = 1.5});
      },
      "epochs in [1, 1000000000]; got 0", "batch_size >= 1; got 0", "lr > 0; got -1", "warmup in [0.01, 0.1]",
      "clip_norm > 0", "validation_split in (0, 1); got 1.5");
}

TEST_CASE("each option out of range is refused by its name") {
  constexpr double nan_option = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  struct Row {
    std::function<void(TrainerOptions&)> change;
    const char* text;
  };
  const std::vector<Row> rows{
      {[](auto& o) { o.epochs = -1; }, "epochs in [1"},
      {[](auto& o) { o.epochs = 2'000'000'000; }, "epochs in [1"},
      {[](auto& o) { o.batch_size = -3; }, "batch_size >= 1; got -3"},
      {[](auto& o) { o.accumulate_grad_batches = 0; }, "accumulate_grad_batches >= 1; got 0"},
      {[](auto& o) { o.lr = 0.0; }, "lr > 0; got 0"},
      {[=](auto& o) { o.lr = nan_option; }, "lr > 0; got nan"},
      {[=](auto& o) { o.lr = infinite; }, "lr > 0; got inf"},
      {[](auto& o) { o.warmup = 0.001; }, "warmup in [0.01, 0.1] of the planned steps; got 0.001"},
      {[](auto& o) { o.warmup = 0.2; }, "check_warmup = off allows any share"},
      {[=](auto& o) { o.warmup = nan_option; }, "warmup in [0.01, 0.1]"},
      {[](auto& o) { o.warmup = 1.0, o.check_warmup = off; }, "warmup in [0, 1)"},
      {[](auto& o) { o.weight_decay = -0.1; }, "weight_decay >= 0; got -0.1"},
      {[](auto& o) { o.clip_norm = -1.0; }, "clip_norm > 0; got -1; off means no clipping"},
      {[](auto& o) { o.ema_beta = 1.0; }, "ema_beta in [0, 1); got 1"},
      {[](auto& o) { o.validation_split = 0.0; }, "validation_split in (0, 1); got 0"},
      {[](auto& o) { o.val_check_interval = 0; }, "val_check_interval >= 1 step; got 0"},
      {[](auto& o) { o.monitor = ""; }, "monitor to be the name of a value"},
      {[](auto& o) { o.monitor = "val_accuracy"; }, "mode = max with monitor 'val_accuracy'; got min"},
      {[](auto& o) { o.mode = train::MonitorMode::max; }, "mode = min with monitor 'val_loss'; got max"},
      {[](auto& o) { o.patience = 0; }, "patience >= 1; got 0; off means no limit"},
      {[](auto& o) { o.limit_train_batches = 0; }, "limit_train_batches >= 1; got 0"},
      {[](auto& o) { o.limit_val_batches = -1; }, "limit_val_batches >= 1; got -1"},
      {[](auto& o) { o.overfit_batches = 0; }, "overfit_batches >= 1; got 0"},
      {[](auto& o) { o.max_seconds = 0.0; }, "max_seconds > 0; got 0"},
      {[](auto& o) { o.log_every_n_steps = 0; }, "log_every_n_steps >= 1; got 0"},
      {[](auto& o) { o.normalization = {.mean = 0, .stddev = 0}; },
       "normalization with a finite mean and a finite stddev > 0"},
      {[](auto& o) { o.normalization = {.mean = 0, .stddev = std::numeric_limits<double>::infinity()}; },
       "normalization with a finite mean and a finite stddev > 0"},
      {[](auto& o) { o.checkpoints->every_n_epochs = 0; }, "checkpoints.every_n_epochs >= 1; got 0"},
      {[](auto& o) { o.checkpoints->every_n_steps = 0; }, "checkpoints.every_n_steps >= 1; got 0"},
      {[](auto& o) { o.checkpoints->every_minutes = 0; }, "checkpoints.every_minutes > 0; got 0"},
      {[](auto& o) { o.checkpoints->keep_last = 0; }, "checkpoints.keep_last >= 1; got 0"},
      {[](auto& o) { o.checkpoints->name = "../up"; }, "checkpoints.name"},
      {[](auto& o) { o.checkpoints->name = ".hidden"; }, "checkpoints.name"},
      {[](auto& o) { o.sinks.push_back(nullptr); }, "sinks that are not null"},
  };
  for (const Row& row : rows) {
    TrainerOptions options{.epochs = 1};
    row.change(options);
    check_throws<OptionError>([&] { train::validate(options); }, "TrainerOptions:", row.text);
  }
}

TEST_CASE("a warmup of any share is accepted when its check is opted out") {
  train::validate({.epochs = 1, .warmup = 0.5, .check_warmup = off});
  train::validate({.epochs = 1, .monitor = "val_accuracy", .mode = train::MonitorMode::max});
}

TEST_CASE("infinity is no limit where any number is one, and no rate or decay") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  train::validate({.epochs = 1, .clip_norm = infinity, .max_seconds = infinity});
  check_throws<OptionError>([=] { train::validate({.epochs = 1, .weight_decay = infinity}); },
                            "weight_decay >= 0; got inf");
}

namespace {

// The bytes that the fields of a list take, from the begin of one to its end.
template <class Options>
std::map<std::size_t, std::size_t> fields_of(const Options& options) {
  std::map<std::size_t, std::size_t> fields;
  visit_options(options, [&]<class T>(const OptionInfo& info, const T& value) {
    CHECK_FALSE(info.help.empty());
    const auto begin = reinterpret_cast<std::uintptr_t>(&value) - reinterpret_cast<std::uintptr_t>(&options);
    if (begin < sizeof(Options)) fields[begin] = std::max(fields[begin], begin + sizeof(T));
  });
  return fields;
}

template <class Options>
void check_complete(const Options& options) {
  std::size_t end = 0;
  for (const auto& [begin, next] : fields_of(options)) {
    CHECK_MESSAGE(begin < end + alignof(Options), "a field at byte ", end, " is not in the list");
    end = std::max(end, next);
  }
  CHECK(sizeof(Options) < end + alignof(Options));
}

}  // namespace

TEST_CASE("the lists of options visit every field") {
  const TrainerOptions options{.epochs = 1};
  check_complete(options);
  check_complete(options.guards);
  check_complete(options.checks);
  check_complete(*options.checkpoints);
}

TEST_CASE("values of options read back from their text, and names of options are those of the fields") {
  TrainerOptions options{.epochs = 3, .lr = 0.1, .clip_norm = off, .guards = {.spike = off}};
  options.metrics_csv = "figures.csv";
  std::map<std::string, std::string> texts;
  visit_options(options, [&]<class T>(const OptionInfo& info, const T& value) {
    if constexpr (TextOption<T>) texts[info.name] = option_text(value);
  });
  CHECK(texts.at("epochs") == "3");
  CHECK(texts.at("lr") == "0.1");
  CHECK(texts.at("clip_norm") == "off");
  CHECK(texts.at("weight_decay") == "0.01");
  CHECK(texts.at("decay") == "cosine");
  CHECK(texts.at("lr_scaling") == "automatic");
  CHECK(texts.at("guards.spike") == "off");
  CHECK(texts.at("guards.plateau") == "on");
  CHECK(texts.at("guards.plateau_rule") == "confidence");
  CHECK(texts.at("checkpoints") == "on");
  CHECK(texts.at("checkpoints.dir") == "runs");
  CHECK(texts.at("checkpoints.every_n_steps") == "automatic");
  CHECK(texts.at("metrics_csv") == "figures.csv");
  CHECK(texts.at("seed") == "42");
  CHECK_FALSE(texts.contains("sinks"));
}

TEST_CASE("the documented rules of spikes and plateaus are selectable") {
  const auto spikes = [](train::SpikeRule rule) {
    auto model = small_model();
    Hooked trainer(model, cross_entropy,
                   quiet({.epochs = 20, .batch_size = 8, .lr = 0.05, .guards = {.spike_rule = rule}}));
    return trainer.fit(points(400)).anomaly_counts;
  };
  // On separable points the loss becomes tiny, and its mean is exceeded tenfold by a single hard sample.
  CHECK_FALSE(spikes(train::SpikeRule::robust).contains("spike"));
  CHECK(spikes(train::SpikeRule::documented).contains("spike"));
}

TEST_CASE("a seed is a number, and one that is drawn says so") {
  const TrainerOptions fixed{.epochs = 1}, seven{.epochs = 1, .seed = 7};
  CHECK(fixed.seed == 42);
  CHECK_FALSE(fixed.seed.drawn);
  Rng rng(seven.seed);  // gives the same stream as the number
  CHECK(rng.below(1000) == Rng(7).below(1000));
  const train::Seed first = train::random_seed(), second = train::random_seed();
  CHECK(first.drawn);
  CHECK(first.value != second.value);
}

TEST_CASE("a fast_dev_run makes one step and one evaluation, and writes nothing") {
  auto model = small_model();
  Hooked trainer{model, cross_entropy, {.epochs = 50, .accumulate_grad_batches = 4, .fast_dev_run = true, .sinks = {}}};
  trainer.checkpoint = [](const std::filesystem::path&) { FAIL_CHECK("nothing is to be written"); };
  const auto result = trainer.fit(points(400));
  CHECK(result.steps == 1);
  CHECK(result.epochs == 1);
  CHECK(result.validation->samples == 1);  // its batches are small
  CHECK(result.checkpoint.empty());
  REQUIRE(result.anomalies.size() == 1);
  CHECK(result.anomalies[0].name == "limited_run");
}

TEST_CASE("limits of batches bound epochs and evaluations, and the schedule is planned for them") {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  train::Trainer trainer{
      model,
      cross_entropy,
      {.epochs = 3, .lr = 0.01, .checkpoints = off, .limit_train_batches = 7, .limit_val_batches = 2, .sinks = {log}}};
  const auto result = trainer.fit(points(1000), points(600, 2));
  CHECK(log->starts.at(0).planned_steps == 21);
  CHECK(log->starts[0].batches_per_epoch == 7);
  CHECK(result.steps == 21);
  CHECK(result.validation->samples == 40);  // of 30 batches of 20
  CHECK(log->steps.back().lr < 0.001);
}

TEST_CASE("overfit_batches trains on the same few batches, to the end") {
  auto model = small_model();
  train::Trainer trainer{model, cross_entropy,
                         quiet({.epochs = 300, .batch_size = 8, .lr = 0.05, .warmup = off, .overfit_batches = 2})};
  const auto result = trainer.fit(coin_flips(400));
  CHECK(result.reason == train::StopReason::finished);  // however bad the validation
  CHECK(result.steps == 600);
  CHECK(result.train_loss < 0.3);
  CHECK(result.validation->loss > 1);
}
