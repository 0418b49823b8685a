#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/checkpoints/internal/checkpoint_codec.h>
#include <handrail/train/report/internal/metrics_log.h>

#include "resume_case.h"
#include "support/hash.h"
#include "torture/run_directory.h"

// One session of a run of resume_case.h, which may be interrupted, and all that it leaves.

namespace resume_case {

namespace fs = std::filesystem;

inline constexpr std::array<const char*, 17> places{
    "on_train_start", "on_epoch_start",      "on_step_start",     "training_step", "on_step_end",    "on_log",
    "on_epoch_end",   "on_validation_start", "on_validation_end", "on_checkpoint", "on_anomaly",     "sink.step_end",
    "sink.layers",    "sink.evaluated",      "sink.epoch_end",    "sink.anomaly",  "validation_step"};
enum class How { stop, signal, exception };
inline constexpr std::array hows{"stop()", "SIGTERM", "exception"};

struct Interruption {
  std::size_t place;
  std::int64_t call;
  How how;
};

struct Mine : std::runtime_error {
  Mine() : runtime_error("mine") {}
};

class Interrupted : public train::Trainer {
 public:
  Interrupted(nn::Layer& model, const Case& c, const train::TrainerOptions& options)
      : Trainer(model, c.regression ? train::Loss(mse_loss) : train::Loss(cross_entropy), with_sink(options)),
        case_(c) {
    first_ = model.parameters();
  }
  void interrupt(const Interruption& at) { at_ = &at; }
  const std::array<std::int64_t, places.size()>& calls() const { return calls_; }
  /// Called in every hook, sink and override, also before the first step. number: the step at "on_step_start", the
  /// number of the checkpoint at "on_checkpoint"; otherwise 0.
  std::function<void(std::string_view place, std::int64_t number)> visit;
  /// Called with every anomaly that is reported.
  std::function<void(const train::Anomaly&)> reported;

 private:
  struct Sink : train::LogSink {
    Interrupted* trainer = nullptr;
    void step_end(const train::StepStats&) override { trainer->at("sink.step_end"); }
    void layers(const train::LayerReport&) override { trainer->at("sink.layers"); }
    void evaluated(const train::EvaluationStats&) override { trainer->at("sink.evaluated"); }
    void epoch_end(const train::EpochStats&) override { trainer->at("sink.epoch_end"); }
    void anomaly(const train::Anomaly& found) override {
      if (trainer->reported) trainer->reported(found);
      trainer->at("sink.anomaly");
    }
  };

  train::TrainerOptions with_sink(train::TrainerOptions options) {
    auto sink = std::make_shared<Sink>();
    sink->trainer = this;
    options.sinks = {sink};
    return options;
  }
  void at(std::string_view name, std::int64_t number = 0) {
    if (visit) visit(name, number);
    if (!begun_) return;
    const auto place = static_cast<std::size_t>(std::ranges::find(places, name) - places.begin());
    if (++calls_.at(place) != (at_ ? at_->call : -1) || place != at_->place) return;
    if (at_->how == How::stop) stop();
    if (at_->how == How::signal) std::raise(SIGTERM);
    if (at_->how == How::exception) throw Mine();
  }

  train::StepOutput training_step(const train::Batch& batch) override {
    at("training_step");
    return Trainer::training_step(batch);
  }
  train::StepOutput validation_step(const train::Batch& batch) override {
    at("validation_step");
    return Trainer::training_step(batch);
  }
  optim::Schedule configure_schedule(double lr, std::int64_t planned) override {
    auto schedule = Trainer::configure_schedule(lr, planned);
    return [schedule, c = &case_](std::int64_t step) {
      return schedule(step) * (step >= c->shock_from && step <= c->shock_to ? c->shock : 1);
    };
  }
  std::vector<std::unique_ptr<train::Guard>> configure_guards() override {
    if (visit) visit("configure_guards", 0);
    return {};
  }
  void on_fit_start() override {
    if (visit) visit("on_fit_start", 0);
  }
  void on_exception(const std::exception_ptr&) override {
    if (visit) visit("on_exception", 0);
  }
  void on_fit_end(const train::FitResult&) override {
    if (visit) visit("on_fit_end", 0);
  }
  void on_train_start() override {
    begun_ = true;
    at("on_train_start");
  }
  void on_epoch_start(Index epoch) override {
    if (epoch == case_.freeze_in) first_[0].tensor.set_requires_grad(false);
    at("on_epoch_start");
  }
  void on_step_start(std::int64_t step) override { at("on_step_start", step); }
  void on_step_end(const train::StepStats&) override { at("on_step_end"); }
  void on_log(const train::StepStats&, const train::LayerReport&) override { at("on_log"); }
  void on_epoch_end(const train::EpochStats&) override { at("on_epoch_end"); }
  void on_validation_start() override { at("on_validation_start"); }
  void on_validation_end(const train::EvaluationStats&) override { at("on_validation_end"); }
  void on_checkpoint(const fs::path& path) override { at("on_checkpoint", number_of(path)); }
  train::Action on_anomaly(const train::Anomaly& anomaly) override {
    at("on_anomaly");
    const bool overruled = case_.overrules && anomaly.action == train::Action::rollback && anomaly.step % 2 == 0;
    return overruled ? train::Action::reduce_lr : anomaly.action;
  }

  const Case& case_;
  std::vector<Parameter> first_;
  bool begun_ = false;  // whether the checks and the first measurements are over
  const Interruption* at_ = nullptr;
  std::array<std::int64_t, places.size()> calls_{};
};

// All that a run leaves.
struct End {
  std::uint64_t weights = 0;
  std::string result, metrics;
  std::vector<std::pair<std::string, std::string>> state;  // names and bytes of the sections
  std::array<std::int64_t, places.size()> calls{};         // of this session only
  train::FitEnd fit = {};
  bool diverged = false;  // whether it left other weights than those of its last step or of its best evaluation
};

inline std::string bits(double value) { return std::to_string(std::bit_cast<std::uint64_t>(value)) + ' '; }

inline std::string text_of(const train::FitResult& r) {
  std::string text = std::string(to_string(r.reason)) + ", signal " + std::to_string(r.signal) + ", epochs " +
                     std::to_string(r.epochs) + ", steps " + std::to_string(r.steps) + ", skipped " +
                     std::to_string(r.skipped) + ", rollbacks " + std::to_string(r.rollbacks) + ", monitor " +
                     r.monitor + (r.best_restored ? ", best restored" : "") + ", status " +
                     std::to_string(r.exit_status()) + ", lr, train_loss " + bits(r.lr) + bits(r.train_loss);
  const auto add = [&](const char* name, const train::Evaluation& e) {
    text += name + bits(e.loss) + bits(e.measured_accuracy.value_or(-1)) + std::to_string(e.samples) + ' ';
    for (const auto& metric : e.metrics) text += metric.name + ' ' + bits(metric.value);
  };
  if (r.validation) add(", validation ", *r.validation);
  if (r.best) add(", best ", r.best->evaluation);
  if (r.best) text += std::to_string(r.best->epoch) + ' ' + std::to_string(r.best->step) + ' ' + bits(r.best->value);
  return text;
}

// The time that a run took is no part of its bits.
inline train::TrainingState timeless(train::TrainingState state) {
  state.progress.seconds = 0;
  if (!state.good) return state;
  auto good = *state.good;
  good.progress.seconds = 0;
  state.good = std::make_shared<const train::TrainingState>(std::move(good));
  return state;
}

// What differs, in words; empty when nothing does.
inline std::string differences(const End& got, const End& want) {
  std::string what;
  if (got.weights != want.weights) what += " weights";
  if (got.result != want.result) what += " result (want " + want.result + "; got " + got.result + ")";
  if (got.metrics != want.metrics) what += " metrics.csv";
  if (got.state.size() != want.state.size()) what += " sections of the checkpoint";
  for (std::size_t i = 0; i < std::min(got.state.size(), want.state.size()); ++i)
    if (got.state[i].second != want.state[i].second) what += " '" + want.state[i].first + "' of the checkpoint";
  return what;
}

/// The options of a session that writes to that directory or, without checkpoints, to none.
inline train::TrainerOptions session_options(const Case& c, const fs::path& dir, bool checkpoints, Rng& rng) {
  auto options = c.options;
  options.checkpoints = off;
  if (checkpoints) {
    options.checkpoints = random_cadence(rng);
    options.checkpoints->dir = dir;
  } else {
    options.metrics_csv = off;
  }
  return options;
}

/// Adds what the run has left in its directory. Leaves the model with the weights of the newest checkpoint.
inline void read_directory(End& end, nn::Module& model, const fs::path& run) {
  end.metrics = bytes_of(run / train::MetricsLog::file_name);
  const auto newest = train::CheckpointStore::load_newest(run);
  const auto state = timeless(newest->state);
  train::restore(model, state.parameters, state.buffers);
  end.diverged =
      end.fit.reason == train::StopReason::finished && !end.fit.best_restored && hash_of(model) != end.weights;
  for (auto& section : train::encode(state)) end.state.emplace_back(section.name, std::move(section.bytes));
}

// One session, from the directory when it has a run. Exceptions of a hook end it like everything else.
inline End session(const Case& c, const fs::path& dir, bool checkpoints, Rng& rng, const Interruption* interruption) {
  const auto run = checkpoints ? run_in(dir) : std::nullopt;
  auto model = model_of(c, run ? 99 : c.seed);  // what is resumed does not depend on the weights before it
  Interrupted trainer(model, c, session_options(c, dir, checkpoints, rng));
  if (interruption) trainer.interrupt(*interruption);
  const auto data = data_of(c);
  End end;
  try {
    const auto result = run ? trainer.resume(*run, data) : trainer.fit(data);
    for (const char* name : {"verification_failed", "not_reproducible"})
      if (result.anomaly_counts.contains(name)) throw std::runtime_error(std::string(name) + " on a healthy machine");
    end.fit = result;
    end.result = text_of(result);
  } catch (const Mine&) {
  }
  end.weights = hash_of(model);
  end.calls = trainer.calls();
  if (checkpoints) read_directory(end, model, run_in(dir).value());
  return end;
}

}  // namespace resume_case
