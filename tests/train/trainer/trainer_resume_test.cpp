#include <unistd.h>

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/checkpoints/internal/retention.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

// Windows of three batches, the last of an epoch with two; evaluations within epochs and at their ends;
// dropout, running statistics, and labels that early stopping gives up on.
TrainerOptions options_in(const TempDir& dir) {
  return {.epochs = 12,
          .batch_size = 8,
          .accumulate_grad_batches = 3,
          .lr = 0.1,
          .val_check_interval = 4,
          .patience = 8,
          .improvement = train::Improvement::plain,
          .checks = {.initial_loss = off, .overfit_batch = off},
          .checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run", .every_n_steps = 5},
          .log_every_n_steps = 6,
          .sinks = {}};
}

const train::TensorDataset& data() {
  static const auto rows = coin_flips(130);
  return rows;
}

// What a run has shown so far, over all its sessions.
struct History {
  std::shared_ptr<train::MemorySink> log = std::make_shared<train::MemorySink>();
  train::FitEnd end;
  std::uint64_t hash = 0;
  std::string metrics = {};
};

// A session in a fresh model, from the directory or anew; arrange() sets hooks that interrupt it.
void session(History& history, const TempDir& dir, bool resume, const std::function<void(Hooked&)>& arrange,
             TrainerOptions options) {
  NormModel model(resume ? 99 : 1);  // its initial weights do not matter when they are restored
  options.sinks = {history.log};
  Hooked trainer(model, cross_entropy, options);
  arrange(trainer);
  try {
    if (resume)
      trainer.resume(dir.path() / "run" / "1", data());
    else
      trainer.fit(data());
  } catch (const std::runtime_error& error) {
    CHECK(error.what() == std::string("mine"));
  }
  history.end = history.log->results.back();
  history.hash = hash_of(model);
  history.metrics = dir.read("run/1/metrics.csv");
}

void check_same(const History& got, const History& want) {
  CHECK(got.hash == want.hash);
  CHECK(got.metrics == want.metrics);
  CHECK(got.end.reason == want.end.reason);
  CHECK(got.end.steps == want.end.steps);
  CHECK(got.end.epochs == want.end.epochs);
  REQUIRE(got.end.best);
  CHECK(got.end.best->step == want.end.best->step);
  CHECK(got.end.best->value == want.end.best->value);
  REQUIRE(got.log->steps.size() == want.log->steps.size());
  for (std::size_t i = 0; i < got.log->steps.size(); ++i) {
    const auto &a = got.log->steps[i], &b = want.log->steps[i];
    CHECK(std::tie(a.step, a.micro_step, a.epoch, a.batch, a.loss, a.ema_loss, a.grad_norm, a.lr) ==
          std::tie(b.step, b.micro_step, b.epoch, b.batch, b.loss, b.ema_loss, b.grad_norm, b.lr));
  }
  REQUIRE(got.log->evaluations.size() == want.log->evaluations.size());
  for (std::size_t i = 0; i < got.log->evaluations.size(); ++i) {
    const auto &a = got.log->evaluations[i], &b = want.log->evaluations[i];
    CHECK(std::tie(a.step, a.epoch, a.evaluation.loss, a.monitored, a.best) ==
          std::tie(b.step, b.epoch, b.evaluation.loss, b.monitored, b.best));
  }
  REQUIRE(got.log->epochs.size() == want.log->epochs.size());
  for (std::size_t i = 0; i < got.log->epochs.size(); ++i) {
    const auto &a = got.log->epochs[i], &b = want.log->epochs[i];
    CHECK(std::tie(a.epoch, a.step, a.lr, a.train_loss) == std::tie(b.epoch, b.step, b.lr, b.train_loss));
    REQUIRE(a.validation.has_value());
    CHECK(a.validation->loss == b.validation->loss);
  }
}

History uninterrupted(const std::function<void(TrainerOptions&)>& change = [](TrainerOptions&) {}) {
  const TempDir dir;
  History history;
  auto options = options_in(dir);
  change(options);
  session(
      history, dir, false, [](Hooked&) {}, options);
  return history;
}

[[noreturn]] void mine() { throw std::runtime_error("mine"); }

}  // namespace

TEST_CASE("a run stopped after any step and resumed in a fresh trainer ends with the same bits") {
  const History want = uninterrupted();
  CHECK(want.end.reason == train::StopReason::early_stopping);
  CHECK(want.end.steps > 20);
  // Epochs have five steps. 4: an evaluation is due; 5: the end of an epoch; 20: both.
  for (const std::int64_t at : {1, 2, 4, 5, 7, 13, 20}) {
    CAPTURE(at);
    const TempDir dir;
    History got;
    session(
        got, dir, false,
        [at](Hooked& t) {
          t.step_end = [&t, at](const train::StepStats& s) {
            if (s.step == at) t.stop();
          };
        },
        options_in(dir));
    CHECK(got.end.reason == train::StopReason::requested);
    CHECK(got.end.steps == at);
    session(
        got, dir, true, [](Hooked&) {}, options_in(dir));
    check_same(got, want);
  }
}

TEST_CASE("a run that an exception ended anywhere is resumed with the same bits") {
  struct Place {
    const char* name;
    std::function<void(Hooked&)> arrange;
  };
  const std::vector<Place> places{
      {"step_start", [](Hooked& t) { t.step_start = [](std::int64_t s) { s == 9 ? mine() : void(); }; }},
      {"step_end", [](Hooked& t) { t.step_end = [](const auto& s) { s.step == 8 ? mine() : void(); }; }},
      {"step_end of an epoch's last step",
       [](Hooked& t) { t.step_end = [](const auto& s) { s.step == 10 ? mine() : void(); }; }},
      {"log", [](Hooked& t) { t.log = [](const auto& s) { s.step == 12 ? mine() : void(); }; }},
      {"epoch_start", [](Hooked& t) { t.epoch_start = [](Index e) { e == 3 ? mine() : void(); }; }},
      {"validation_start within an epoch",
       [](Hooked& t) { t.validation_start = [n = 0]() mutable { ++n == 3 ? mine() : void(); }; }},
      {"validation_start at the end of an epoch",
       [](Hooked& t) { t.validation_start = [n = 0]() mutable { ++n == 2 ? mine() : void(); }; }},
      {"validation_end within an epoch",
       [](Hooked& t) { t.validation_end = [](const auto& s) { s.step == 8 ? mine() : void(); }; }},
      {"validation_end at the end of an epoch",
       [](Hooked& t) { t.validation_end = [](const auto& s) { s.step == 10 ? mine() : void(); }; }},
      {"epoch_end", [](Hooked& t) { t.epoch_end = [](const auto& s) { s.epoch == 2 ? mine() : void(); }; }},
      {"checkpoint", [](Hooked& t) { t.checkpoint = [n = 0](const auto&) mutable { ++n == 2 ? mine() : void(); }; }},
  };
  const History want = uninterrupted();
  for (const Place& place : places) {
    CAPTURE(place.name);
    const TempDir dir;
    History got;
    session(got, dir, false, place.arrange, options_in(dir));
    CHECK(got.end.reason == train::StopReason::exception);
    session(
        got, dir, true, [](Hooked&) {}, options_in(dir));
    check_same(got, want);
  }
}

TEST_CASE("a batch that throws in the middle of a window is trained on again, and twice is no worse than once") {
  struct Throwing : Hooked {
    using Hooked::Hooked;
    int batches = -1;  // to go, once training has begun
    train::StepOutput training_step(const train::Batch& batch) override {
      if (attempt > 0 && batches-- == 0) mine();
      return Hooked::training_step(batch);
    }
  };
  const History want = uninterrupted();
  const TempDir dir;
  History got;
  for (int k = 0; k < 3; ++k) {
    NormModel model(k == 0 ? 1 : 7);
    auto options = options_in(dir);
    options.sinks = {got.log};
    Throwing trainer(model, cross_entropy, options);
    trainer.batches = 10 + 3 * k;
    const auto run = [&] { return k == 0 ? trainer.fit(data()) : trainer.resume(dir.path() / "run" / "1", data()); };
    CHECK_THROWS_WITH(run(), "mine");
    CHECK(all_finite(model));
  }
  session(
      got, dir, true, [](Hooked&) {}, options_in(dir));
  check_same(got, want);
}

TEST_CASE(
    "a checkpoint from the middle of a run is resumed like the run it is from, also with a rate from the finder") {
  const auto change = [](TrainerOptions& o) {
    o.lr = train::automatic, o.patience = off, o.accumulate_grad_batches = 1;
  };
  const History want = uninterrupted(change);
  const TempDir dir;
  History got;
  auto options = options_in(dir);
  change(options);
  session(
      got, dir, false, [](Hooked&) {}, options);
  check_same(got, want);

  // The last but one is from within an epoch or its end; what came later is as if it had not been.
  auto files = train::list_checkpoints(dir.path() / "run" / "1");
  REQUIRE(files.size() >= 2);
  std::filesystem::remove(files.back().path);
  const auto step = train::load_checkpoint(files[files.size() - 2].path).progress.step;
  CHECK(step < want.end.steps);
  CHECK(step > 0);
  NormModel model(3);
  train::Trainer trainer(model, cross_entropy, options);
  const auto result = trainer.resume(dir.path() / "run" / "1", data());
  CHECK(hash_of(model) == want.hash);
  CHECK(result.lr == want.end.lr);
  CHECK(result.steps == want.end.steps);
}

TEST_CASE("a run that has ended is resumed to its end, without a step") {
  for (const bool early : {false, true}) {
    const TempDir dir;
    History got;
    auto options = options_in(dir);
    if (!early) options.patience = off;
    session(
        got, dir, false, [](Hooked&) {}, options);
    const History ended = got;
    const std::size_t steps = got.log->steps.size();
    session(
        got, dir, true, [](Hooked&) {}, options);
    CHECK(got.hash == ended.hash);
    CHECK(got.end.reason == ended.end.reason);
    CHECK(got.end.best_restored);
    CHECK(got.log->steps.size() == steps);
    CHECK(got.end.checkpoint == ended.end.checkpoint);
  }
}

TEST_CASE("other options, data or models than the run began with are refused, and the model is as it was") {
  const TempDir dir;
  History begun;
  session(
      begun, dir, false,
      [](Hooked& t) {
        t.step_end = [&t](const train::StepStats& s) {
          if (s.step == 7) t.stop();
        };
      },
      options_in(dir));
  const auto run = dir.path() / "run" / "1";
  const auto refused = [&](const std::string& name, const std::function<void(TrainerOptions&)>& change,
                           const train::TensorDataset& rows) {
    CAPTURE(name);
    NormModel model(5);
    const auto before = hash_of(model);
    auto options = options_in(dir);
    change(options);
    train::Trainer trainer(model, cross_entropy, options);
    check_throws<CheckpointError>([&] { trainer.resume(run, rows); }, "resume: want", concat("\n  ", name, ": "),
                                  concat('"', name, '"'));
    CHECK(hash_of(model) == before);
  };
  const std::vector<std::pair<const char*, std::function<void(TrainerOptions&)>>> changes{
      {"epochs", [](auto& o) { o.epochs = 13; }},
      {"batch_size", [](auto& o) { o.batch_size = 9; }},
      {"drop_last", [](auto& o) { o.drop_last = true; }},
      {"accumulate_grad_batches", [](auto& o) { o.accumulate_grad_batches = 2; }},
      {"lr", [](auto& o) { o.lr = 0.2; }},
      {"lr", [](auto& o) { o.lr = train::automatic; }},
      {"lr_scaling", [](auto& o) { o.lr_scaling = train::LrScaling::none; }},
      {"decay", [](auto& o) { o.decay = train::Decay::linear; }},
      {"warmup", [](auto& o) { o.warmup = 0.1; }},
      {"weight_decay", [](auto& o) { o.weight_decay = off; }},
      {"decay_exempt", [](auto& o) { o.decay_exempt = false; }},
      {"clip_norm", [](auto& o) { o.clip_norm = 2.0; }},
      {"ema_beta", [](auto& o) { o.ema_beta = 0.9; }},
      {"optimizer", [](auto& o) { o.optimizer = train::with<optim::SGD>(); }},
      {"optimizer", [](auto& o) { o.optimizer = train::with<optim::AdamW>({.beta1 = 0.8}); }},
      {"validation samples", [](auto& o) { o.validation_split = 0.2; }},
      {"validation samples", [](auto& o) { o.validation_split = off; }},
      {"training samples", [](auto& o) { o.stratify = false; }},
      {"monitor", [](auto& o) { o.monitor = "train_loss"; }},
      {"mode", [](auto& o) { o.monitor = "val_accuracy", o.mode = train::MonitorMode::max; }},
      {"patience", [](auto& o) { o.patience = 9; }},
      {"patience", [](auto& o) { o.patience = off; }},
      {"improvement", [](auto& o) { o.improvement = train::Improvement::significant; }},
      {"restore_best", [](auto& o) { o.restore_best = off; }},
      {"guards.non_finite", [](auto& o) { o.guards.non_finite = off; }},
      {"guards.spike", [](auto& o) { o.guards.spike = off; }},
      {"guards.divergence", [](auto& o) { o.guards.divergence = off; }},
      {"guards.plateau", [](auto& o) { o.guards.plateau = off; }},
      {"guards.slow_progress", [](auto& o) { o.guards.slow_progress = off; }},
      {"guards.overfitting", [](auto& o) { o.guards.overfitting = off; }},
      {"guards.clip_pressure", [](auto& o) { o.guards.clip_pressure = off; }},
      {"guards.layers", [](auto& o) { o.guards.layers = off; }},
      {"guards.labels", [](auto& o) { o.guards.labels = off; }},
      {"guards.spike_rule", [](auto& o) { o.guards.spike_rule = train::SpikeRule::documented; }},
      {"guards.plateau_rule", [](auto& o) { o.guards.plateau_rule = train::PlateauRule::documented; }},
      {"overfit_batches", [](auto& o) { o.overfit_batches = 4; }},
      {"log_every_n_steps", [](auto& o) { o.log_every_n_steps = 7; }},
      {"val_check_interval", [](auto& o) { o.val_check_interval = 3; }},
      {"limit_train_batches", [](auto& o) { o.limit_train_batches = 3; }},
      {"limit_val_batches", [](auto& o) { o.limit_val_batches = 3; }},
      {"seed", [](auto& o) { o.seed = 43; }},
  };
  for (const auto& [name, change] : changes) refused(name, change, data());
  refused(
      "training samples", [](auto&) {}, coin_flips(130, 2));
  refused(
      "training samples", [](auto&) {}, coin_flips(131));
  NormModel given;
  train::Trainer with_validation(given, cross_entropy, options_in(dir));
  check_throws<CheckpointError>([&] { with_validation.resume(run, data(), coin_flips(13, 2)); },
                                "validation samples: ");

  // All that differs is listed.
  NormModel model;
  auto options = options_in(dir);
  options.epochs = 13;
  options.clip_norm = 2.0;
  train::Trainer several(model, cross_entropy, options);
  check_throws<CheckpointError>([&] { several.resume(run, data()); }, "clip_norm: 1 when the run began, 2 now",
                                "epochs: 12 when the run began, 13 now", ".allow = {\"clip_norm\", \"epochs\"}");
  check_throws<CheckpointError>([&] { several.resume(run, data(), {.allow = {"clip_norm"}}); }, "epochs: 12");
  check_throws<OptionError>([&] { several.resume(run, data(), {.allow = {"clip"}}); }, "got 'clip'", "clip_norm, ");

  nn::Sequential other = small_model();
  const auto before = hash_of(other);
  train::Trainer trainer(other, cross_entropy, options_in(dir));
  check_throws<CheckpointError>([&] { trainer.resume(dir.path() / "run" / "1", data()); }, "missing: parameter");
  check_throws<CheckpointError>([&] { trainer.resume(dir.path() / "run" / "2", data()); }, "run/2");
  check_throws<CheckpointError>([&] { trainer.resume(dir.path(), data()); }, "want the directory of a run");
  CHECK(hash_of(other) == before);
}

TEST_CASE("options that do not change how a run continues may differ when it is resumed") {
  const TempDir dir;
  NormModel model, again(3);
  auto options = options_in(dir);
  const auto first = train::Trainer(model, cross_entropy, options).fit(data());
  options.max_seconds = 1000;
  options.handle_signals = off;
  options.verify_fixes = off;
  options.check_warmup = off;
  options.checks = {};
  options.checkpoints->keep_last = 2;
  options.class_names = {"no", "yes"};
  CHECK(train::Trainer(again, cross_entropy, options).resume(first.run_dir, data()).steps == first.steps);
  CHECK(hash_of(again) == hash_of(model));
}

TEST_CASE("checkpoints may be switched off for the rest of a run, or written at other times") {
  const History want = uninterrupted();
  for (const bool on : {false, true}) {
    const TempDir dir;
    History got;
    auto options = options_in(dir);
    session(
        got, dir, false, [](Hooked& t) { t.step_end = [&t](const auto& s) { s.step == 12 ? t.stop() : void(); }; },
        options);
    options.checkpoints->every_n_steps = 1;
    options.checkpoints->every_n_epochs = 9;
    options.checkpoints->every_minutes = 1e-6;
    if (!on) options.checkpoints = off;
    session(
        got, dir, true, [](Hooked&) {}, options);
    check_same(got, want);
    CHECK((train::load_checkpoint(got.end.checkpoint).progress.step > 12) == on);
  }
}

TEST_CASE("options that an older library did not record count as a difference of the library, and are named") {
  const TempDir dir;
  NormModel model, again(3);
  const auto first = train::Trainer(model, cross_entropy, options_in(dir)).fit(data());
  auto state = train::load_checkpoint(first.checkpoint);
  const std::string version = state.settings.at("library");
  state.settings.erase("patience");
  state.settings.erase("guards.spike");
  train::save_checkpoint(first.checkpoint, state);
  train::Trainer trainer(again, cross_entropy, options_in(dir));
  check_throws<CheckpointError>([&] { trainer.resume(first.run_dir, data()); },
                                concat("library: ", version, " when the run began, ", version,
                                       " now; the former did not record guards.spike, patience"),
                                "{.allow = {\"library\"}}");
  CHECK(trainer.resume(first.run_dir, data(), {.allow = {"library"}}).steps == first.steps);
}

TEST_CASE("every row of the data and the structure of the model must be those that the run began with") {
  const TempDir dir;
  const auto options = [&](bool split) {
    auto o = options_in(dir);
    o.epochs = 1;
    if (!split) o.validation_split = off;
    return o;
  };
  const auto rows = coin_flips(1000);
  NormModel model;
  const auto first = train::Trainer(model, cross_entropy, options(true)).fit(rows);
  const auto refused = [&](nn::Layer& other, const train::TensorDataset& now, const std::string& text) {
    train::Trainer trainer(other, cross_entropy, options(true));
    check_throws<CheckpointError>([&] { trainer.resume(first.run_dir, now); }, text);
  };
  // One value of one row, wherever it is: in the training set or in the validation set.
  for (const Index row : {0, 1, 333, 500, 777, 999}) {
    const Tensor inputs = rows.inputs().clone();
    inputs.mutable_data()[2 * row + 1] += Scalar(0.001);
    refused(model, {inputs, rows.targets()}, "samples: ");
  }
  const Tensor targets = rows.targets().clone();
  targets.mutable_data()[501] = 1 - targets.data()[501];
  refused(model, {rows.inputs(), targets}, "samples: ");

  NormModel drops_less(1, 0.1);
  refused(drops_less, rows, "\n  model: NormModel, Linear, BatchNorm1d momentum 0.1, eps 1e-05, Dropout p 0.2, Linear");
  refused(drops_less, rows, "Dropout p 0.1");
  NormModel same;
  CHECK(train::Trainer(same, cross_entropy, options(true)).resume(first.run_dir, rows).steps == first.steps);
  CHECK(train::Trainer(drops_less, cross_entropy, options(true))
            .resume(first.run_dir, rows, {.allow = {"model"}})
            .steps == first.steps);

  auto begun = small_model();
  const auto second = train::Trainer(begun, cross_entropy, options(false)).fit(rows);
  Rng rng(1);
  nn::Sequential tanh{nn::Linear{2, 16, rng}, nn::Tanh{}, nn::Linear{16, 2, rng}};
  train::Trainer other(tanh, cross_entropy, options(false));
  check_throws<CheckpointError>([&] { other.resume(second.run_dir, rows); },
                                "model: Sequential, Linear, ReLU, Linear, hash ", "Sequential, Linear, Tanh, Linear");
}

TEST_CASE("a set in memory whose samples are made anew at each reading can be resumed") {
  struct Noisy : train::TensorDataset {
    using TensorDataset::TensorDataset;
    void gather(std::span<const Index> rows, const train::Batch& batch) const override {
      TensorDataset::gather(rows, batch);
      for (Scalar& x : batch.inputs.mutable_span()) x += static_cast<Scalar>(++readings % 7);
    }
    mutable std::atomic<int> readings = 0;
  };
  const TempDir dir;
  const auto rows = coin_flips(130);
  const Noisy noisy(rows.inputs(), rows.targets());
  auto model = small_model();
  auto options = options_in(dir);
  options.epochs = 1;
  const auto first = train::Trainer(model, cross_entropy, options).fit(noisy);
  CHECK(train::Trainer(model, cross_entropy, options).resume(first.run_dir, noisy).steps == first.steps);
}

TEST_CASE("a run that has ended is extended by more epochs when that is allowed") {
  const TempDir dir;
  NormModel model;
  auto options = options_in(dir);
  options.patience = off;
  const auto first = train::Trainer(model, cross_entropy, options).fit(data());
  REQUIRE(first.reason == train::StopReason::finished);
  options.epochs += 2;
  options.clip_norm = 0.5;
  NormModel longer(3);
  const auto second =
      train::Trainer(longer, cross_entropy, options).resume(first.run_dir, data(), {.allow = {"epochs", "clip_norm"}});
  CHECK(second.reason == train::StopReason::finished);
  CHECK(second.epochs == options.epochs);
  CHECK(second.steps > first.steps);
  CHECK(second.seconds > train::load_checkpoint(first.checkpoint).progress.seconds);
  CHECK(second.summary.front().value == concat("at step ", first.steps, ", epoch 13, from ", first.checkpoint));
  // Whole epochs of other lengths: the rest of the epoch under way is passed over.
  options.epochs += 1;
  options.batch_size = 100;
  const auto third = train::Trainer(longer, cross_entropy, options)
                         .resume(first.run_dir, data(), {.allow = {"epochs", "clip_norm", "batch_size"}});
  CHECK(third.epochs == options.epochs);
}

TEST_CASE("a directory that another run has is refused, and the model is as it was") {
  const TempDir dir;
  NormModel model;
  const auto first = train::Trainer(model, cross_entropy, options_in(dir)).fit(data());
  const auto log = dir.read("run/1/metrics.csv");
  const train::CheckpointStore other(first.run_dir, 5);
  NormModel fresh(3);
  const auto before = hash_of(fresh);
  train::Trainer trainer(fresh, cross_entropy, options_in(dir));
  check_throws<CheckpointError>([&] { trainer.resume(first.run_dir, data()); }, "process ", std::to_string(getpid()));
  CHECK(hash_of(fresh) == before);
  CHECK(dir.read("run/1/metrics.csv") == log);
}

TEST_CASE("a checkpoint may be named from inside its directory") {
  const TempDir dir;
  NormModel model, again(3);
  const auto first = train::Trainer(model, cross_entropy, options_in(dir)).fit(data());
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(first.run_dir);
  const auto file = std::filesystem::path(first.checkpoint).filename();
  const auto second = train::Trainer(again, cross_entropy, options_in(dir)).resume(file, data());
  std::filesystem::current_path(before);
  CHECK(second.steps == first.steps);
  CHECK(hash_of(again) == hash_of(model));
}

TEST_CASE("a run can be resumed by the path of one of its checkpoints") {
  const TempDir dir;
  const TrainerOptions options{
      .epochs = 2, .lr = 0.01, .checkpoints = train::CheckpointOptions{.dir = dir.path(), .name = "run"}, .sinks = {}};
  auto model = small_model(), again = small_model(9);
  train::Trainer trainer(model, cross_entropy, options), resumed(again, cross_entropy, options);
  const auto result = trainer.fit(points(128));
  CHECK(resumed.resume(result.checkpoint, points(128)).steps == result.steps);
}
