#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/eigen.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/internal/checkpoint_codec.h>
#include <handrail/train/checkpoints/internal/retention.h>

#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

// What becomes of a value that is not finite, or huge: at each place of training, in each phase of it.

using namespace handrail;
using train::Action;
using train::off;
using train::StopReason;
using train::TrainerOptions;

namespace {

enum class Place { input, label, weight, gradient, moment, loss, metric };
enum class Phase { train, validate, finder, resume };
enum class Checks { none, all };

constexpr std::int64_t late = 25;  // an attempt: the losses before it are enough to tell a spike
constexpr Index bad_row = 7;

// Regression: the targets may be anything.
train::TensorDataset sums(Index count, std::optional<Place> bad = {}, Scalar value = 0) {
  Rng rng(1);
  const Tensor inputs = normal({count, 2}, 0, 1, rng), targets(Shape{count, 2});
  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < 2; ++j) targets.mutable_data()[2 * i + j] = inputs.at({i, 0}) + inputs.at({i, 1});
  if (bad == Place::input) inputs.mutable_data()[2 * bad_row] = value;
  if (bad == Place::label) targets.mutable_data()[2 * bad_row] = value;
  return {inputs, targets, {.check_finite = false}};
}

// One thing goes wrong at one attempt, or in all evaluations from then on; attempt 0 is that of checks and sweeps.
struct Spoiled : Hooked {
  using Hooked::Hooked;
  Place place = Place::input;
  Phase phase = Phase::train;
  Scalar value = 0;
  std::int64_t at = late;

 protected:
  train::StepOutput training_step(const train::Batch& batch) override {
    train::StepOutput out = Trainer::training_step(batch);
    const bool now = phase != Phase::validate && attempt == at;
    if (now && place == Place::loss) out.loss = out.loss + static_cast<double>(value);
    if (now && place == Place::gradient)
      out.loss = Tape::record("spoil", {out.loss}, out.loss.clone(),
                              [slope = value](const Backward& b) { b[0] += array(b.output_grad()) * slope; });
    out.metrics = {{"f1", now && place == Place::metric ? static_cast<double>(value) : 0.5}};
    return out;
  }
  train::StepOutput validation_step(const train::Batch& batch) override {
    train::StepOutput out = Trainer::training_step(batch);
    const bool now = phase == Phase::validate && attempt >= at;
    if (now && place == Place::loss) out.loss = out.loss + static_cast<double>(value);
    out.metrics = {{"f1", now && place == Place::metric ? static_cast<double>(value) : 0.5}};
    return out;
  }
  std::unique_ptr<optim::Optimizer> configure_optimizer() override {
    auto made = Trainer::configure_optimizer();
    optimizer_ = made.get();
    return made;
  }
  void on_step_start(std::int64_t step) override {
    Hooked::on_step_start(step);
    if (place != Place::moment || attempt != at) return;
    optim::OptimizerState state = optimizer_->state();
    state.at("2.weight").slots.at(1).mutable_data()[3] = value;
    optimizer_->load_state(state);
  }

 private:
  optim::Optimizer* optimizer_ = nullptr;
};

struct Ending {
  std::string error;  // of a typed error; empty for none
  train::FitResult result;
  std::optional<train::LrFinderResult> sweep;
  bool finite = false, unchanged = false;  // the model
};

TrainerOptions options_for(const TempDir& dir, Place place, Phase phase, Checks checks) {
  TrainerOptions options = bare({.epochs = 4, .batch_size = 8, .lr = 0.01, .lr_scaling = train::LrScaling::none});
  if (checks == Checks::all) options.checks = {};
  if (phase == Phase::finder) options.lr = train::automatic;
  if (place == Place::metric) {
    options.monitor = phase == Phase::validate ? "val_f1" : "train_f1";
    options.mode = train::MonitorMode::max;
  }
  options.checkpoints =
      train::CheckpointOptions{.dir = dir.path(), .name = "run", .every_n_steps = 20, .keep_last = 100};
  return options;
}

// What a disk holds loads, so it is finite; and what is not stored as a tensor is finite too.
std::size_t check_checkpoints(const std::filesystem::path& run_dir) {
  const auto files = train::list_checkpoints(run_dir);
  for (const auto& file : files) {
    const train::TrainingState state = train::load_checkpoint(file.path);
    CHECK(std::isfinite(state.decisions.lr));
    CHECK(std::isfinite(state.progress.epoch_loss));
    CHECK(std::isfinite(state.progress.lr_factor));
    if (state.best) CHECK(std::isfinite(state.best->value));
  }
  return files.size();
}

// A file with a value that save_checkpoint would refuse.
void spoil_checkpoint(const std::filesystem::path& path, Place place, Scalar value) {
  train::TrainingState state = train::load_checkpoint(path);
  (place == Place::weight ? state.parameters.at("2.weight") : state.optimizer.at("2.weight").slots.at(1))
      .mutable_data()[3] = value;
  const auto sections = train::encode(state);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << train::container_header(sections, 0);
  for (const auto& section : sections) out << section.bytes;
}

Ending run(Place place, Phase phase, Scalar value, Checks checks) {
  const TempDir dir(memory_directory());
  const std::filesystem::path run_dir = dir.path() / "run" / "1";
  const auto good = sums(120), bad = sums(120, place, value), validation = sums(40);
  const auto &training = phase == Phase::validate ? good : bad,
             &evaluated = phase == Phase::validate ? bad : validation;
  auto model = small_model();
  const Tensor weight = model.parameters().at(2).tensor;
  const auto spoil_weight = [&] { weight.mutable_data()[3] = value; };
  Spoiled trainer(model, mse_loss, options_for(dir, place, phase, checks));
  trainer.place = place;
  trainer.phase = phase;
  trainer.value = value;
  trainer.at = phase == Phase::finder ? 0 : phase == Phase::resume ? 5 : late;
  if (place == Place::weight && phase == Phase::finder) spoil_weight();
  if (place == Place::weight && phase == Phase::train)
    trainer.step_start = [&](std::int64_t) {
      if (trainer.attempt == late) spoil_weight();
    };
  if (place == Place::weight && phase == Phase::validate)
    trainer.validation_start = [&] {
      if (trainer.attempt == 30) spoil_weight();  // an epoch has fifteen
    };

  Ending ending;
  const std::uint64_t before = hash_of(model);
  trainer.fit_end = [&](const train::FitResult& result) { ending.result = result; };
  try {
    if (phase == Phase::finder) {
      ending.sweep = trainer.find_lr(bad);
      CHECK(hash_of(model) == before);
    }
    if (phase == Phase::resume) {
      auto other = small_model();
      Spoiled first(other, mse_loss, trainer.options());
      first.at = -1;
      first.step_end = [&](const train::StepStats& stats) {
        if (stats.step == 25) first.stop();
      };
      first.fit(good, validation);
      CHECK(check_checkpoints(run_dir) > 1);
      if (place == Place::weight || place == Place::moment)
        for (const auto& file : train::list_checkpoints(run_dir)) spoil_checkpoint(file.path, place, value);
      trainer.resume(run_dir, training, evaluated, {.allow = {"training samples"}});
    } else {
      trainer.fit(training, evaluated);
    }
    CHECK(check_checkpoints(run_dir) > 1);
  } catch (const Error& error) {
    ending.error = error.what();
    if (phase != Phase::resume && std::filesystem::exists(run_dir))
      CHECK(check_checkpoints(run_dir) == 0);  // nothing was saved of what is wrong
  }
  ending.finite = all_finite(model);
  ending.unchanged = hash_of(model) == before;
  return ending;
}

// What is to come of it: a typed error with that text, or an anomaly of that name, at that place, with that evidence
// and consequence; or nothing, as finite values may be trained on.
struct Want {
  const char* error = nullptr;
  const char* anomaly = nullptr;
  const char* where = "";
  const char* evidence = "";
  Action action = Action::proceed;
  StopReason reason = StopReason::finished;
  std::int64_t rollbacks = 0;
};

struct Row {
  Place place;
  Phase phase;
  Checks checks;
  Want not_finite, huge;
};

constexpr const char* row_7 = "row 7 of the training set";
constexpr Want nothing{};
constexpr Want bad_data{.anomaly = "non_finite", .where = row_7, .evidence = "loss ", .action = Action::skip};
constexpr Want bad_validation{
    .anomaly = "non_finite_validation", .where = "validation set", .evidence = "its loss is "};
constexpr Want no_rate{.anomaly = "no_usable_lr", .evidence = "using the optimizer's default 0.001"};
constexpr Want bad_weight{.anomaly = "non_finite",
                          .where = "layer '2'",
                          .evidence = "bad step 1 in a row",
                          .action = Action::skip,
                          .rollbacks = 1};
constexpr Want bad_gradient{.anomaly = "non_finite",
                            .where = "loss, op 'spoil'",
                            .evidence = "first seen in the backward of op 'spoil'",
                            .action = Action::skip};
constexpr Want bad_loss{.anomaly = "non_finite",
                        .where = "loss, op 'affine'",
                        .evidence = "first seen in the forward of op 'affine'",
                        .action = Action::skip};
constexpr Want spike{.anomaly = "spike", .evidence = "loss 1e+38 is "};

// A gradient is not looked at in validation, a moment neither there nor in a sweep, which begins with moments of zero,
// nor a metric in a sweep.
constexpr Row rows[] = {
    {Place::input, Phase::train, Checks::none, bad_data, bad_data},
    {Place::input,
     Phase::train,
     Checks::all,
     {.error = "inputs; got {} in row 7, column 0 of the training set"},
     {.anomaly = "input_scale", .where = "column 0 of the inputs"}},
    {Place::input, Phase::validate, Checks::none, bad_validation, bad_validation},
    {Place::input,
     Phase::validate,
     Checks::all,
     {.error = "inputs; got {} in row 7, column 0 of the validation set"},
     bad_validation},
    {Place::input, Phase::finder, Checks::none, bad_data, bad_data},
    {Place::input,
     Phase::finder,
     Checks::all,
     {.error = "inputs; got {} in row 7, column 0 of the training set"},
     {.anomaly = "input_scale", .where = "column 0 of the inputs"}},
    {Place::input, Phase::resume, Checks::none, bad_data, bad_data},
    {Place::label, Phase::train, Checks::none, bad_data, bad_data},
    {Place::label,
     Phase::train,
     Checks::all,
     {.error = "targets; got {} in row 7, column 0 of the training set"},
     {.anomaly = "target_scale", .where = "column 0 of the targets"}},
    {Place::label, Phase::validate, Checks::none, bad_validation, bad_validation},
    {Place::label,
     Phase::validate,
     Checks::all,
     {.error = "targets; got {} in row 7, column 0 of the validation set"},
     bad_validation},
    {Place::label, Phase::finder, Checks::none, bad_data, bad_data},
    {Place::label,
     Phase::finder,
     Checks::all,
     {.error = "targets; got {} in row 7, column 0 of the training set"},
     {.anomaly = "target_scale", .where = "column 0 of the targets"}},
    {Place::label, Phase::resume, Checks::none, bad_data, bad_data},
    {Place::weight, Phase::train, Checks::none, bad_weight, bad_weight},
    {Place::weight, Phase::validate, Checks::none, bad_weight, bad_weight},
    {Place::weight,
     Phase::finder,
     Checks::none,
     {.error = "want finite parameters; '2.weight' [16, 2] has {} in element 3"},
     {.anomaly = "no_usable_lr", .reason = StopReason::guard, .rollbacks = 3}},
    {Place::weight,
     Phase::resume,
     Checks::none,
     {.error = "parameter '2.weight' [16, 2]: want finite values; element 3 is {}"},
     bad_weight},  // the last good state of the checkpoint has the weights before
    {Place::gradient, Phase::train, Checks::none, bad_gradient, nothing},
    // A gradient that is huge and clipped has the right direction still.
    {Place::gradient, Phase::finder, Checks::none, no_rate, nothing},
    {Place::gradient, Phase::resume, Checks::none, bad_gradient, nothing},
    {Place::moment,
     Phase::train,
     Checks::none,
     {.anomaly = "non_finite",
      .where = "2.weight",
      .evidence = "AdamW::step: want a finite update; got ",
      .action = Action::skip,
      .rollbacks = 1},
     nothing},
    {Place::moment,
     Phase::resume,
     Checks::none,
     {.error = "moment of '2.weight' [16, 2]: want finite values; element 3 is {}"},
     nothing},
    {Place::loss, Phase::train, Checks::none, bad_loss, spike},
    {Place::loss, Phase::validate, Checks::none, bad_validation, nothing},
    {Place::loss, Phase::finder, Checks::none, no_rate, no_rate},
    {Place::loss, Phase::resume, Checks::none, bad_loss, spike},
    {Place::metric, Phase::train, Checks::none, {.anomaly = "non_finite_metric", .where = "train_f1"}, nothing},
    {Place::metric, Phase::validate, Checks::none, {.anomaly = "non_finite_metric", .where = "val_f1"}, nothing},
    {Place::metric, Phase::resume, Checks::none, {.anomaly = "non_finite_metric", .where = "train_f1"}, nothing},
};

void check(const Ending& ending, const Want& want, Scalar value) {
  if (want.error) {
    std::string text = want.error;
    if (const auto at = text.find("{}"); at != std::string::npos) text.replace(at, 2, concat(value));
    CHECK_MESSAGE(contains(ending.error, text), "want '", text, "' in '", ending.error, "'");
    CHECK(ending.unchanged);
    return;
  }
  CHECK_MESSAGE(ending.error.empty(), ending.error);
  CHECK(ending.finite);
  CHECK(ending.result.reason == want.reason);
  CHECK(ending.result.rollbacks == want.rollbacks);
  if (ending.result.best) CHECK(std::isfinite(ending.result.best->value));
  if (!want.anomaly) {
    for (const char* name : {"non_finite", "non_finite_validation", "non_finite_metric", "divergence"})
      CHECK_MESSAGE(!find_anomaly(ending.result, name), name);
    return;
  }
  const train::Anomaly* anomaly = find_anomaly(ending.result, want.anomaly);
  REQUIRE_MESSAGE(anomaly, want.anomaly);
  CHECK(anomaly->where == want.where);
  const std::string measured = anomaly->evidence + "; " + anomaly->details;
  CHECK_MESSAGE(contains(measured, want.evidence), measured);
  CHECK(anomaly->action == want.action);
}

}  // namespace

TEST_CASE("a value that is not finite, or huge, is named with its place, wherever it comes from, and never saved") {
  constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
  for (const Row& row : rows)
    for (const Scalar value : {nan_value, infinity, -infinity, Scalar(1e38)}) {
      CAPTURE(static_cast<int>(row.place));
      CAPTURE(static_cast<int>(row.phase));
      CAPTURE(static_cast<int>(row.checks));
      CAPTURE(value);
      const Ending ending = run(row.place, row.phase, value, row.checks);
      check(ending, std::isfinite(value) ? row.huge : row.not_finite, value);
      if (!ending.sweep) continue;
      // A row that is not finite, or overflows, says nothing about the rate; without a rate the sweep says why.
      const bool only_a_row = row.place == Place::input || row.place == Place::label;
      if (only_a_row) CHECK(ending.sweep->suggestion);
      if (ending.sweep->suggestion)
        CHECK(std::isfinite(*ending.sweep->suggestion));
      else
        CHECK_FALSE(ending.sweep->note.empty());
    }
}

TEST_CASE("a class that is not finite, or huge, is an error that names its row, with the checks or without") {
  constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
  for (const Scalar value : {nan_value, infinity, -infinity, Scalar(1e38)})
    for (const bool checked : {false, true}) {
      const auto clean = points(100);
      const Tensor targets = clean.targets().clone();
      targets.mutable_data()[bad_row] = value;
      const train::TensorDataset data(clean.inputs(), targets, {.check_finite = false});
      auto model = small_model();
      TrainerOptions options = bare({.epochs = 1, .lr = 0.01, .validation_split = off});
      options.checks.labels = checked;
      try {
        train::Trainer(model, cross_entropy, options).fit(data);
        FAIL_CHECK("want an exception; got none");
      } catch (const DataError& error) {
        CHECK_MESSAGE(contains(error.what(), "row 7"), error.what());
      }
      CHECK(all_finite(model));
    }
}
