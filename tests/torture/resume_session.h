#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
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

 private:
  struct Sink : train::LogSink {
    Interrupted* trainer = nullptr;
    void step_end(const train::StepStats&) override { trainer->at("sink.step_end"); }
    void layers(const train::LayerReport&) override { trainer->at("sink.layers"); }
    void evaluated(const train::EvaluationStats&) override { trainer->at("sink.evaluated"); }
    void epoch_end(const train::EpochStats&) override { trainer->at("sink.epoch_end"); }
    void anomaly(const train::Anomaly&) override { trainer->at("sink.anomaly"); }
  };

  train::TrainerOptions with_sink(train::TrainerOptions options) {
    auto sink = std::make_shared<Sink>();
    sink->trainer = this;
    options.sinks = {sink};
    return options;
  }
  void at(std::string_view name) {
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
  void on_train_start() override {
    begun_ = true;
    at("on_train_start");
  }
  void on_epoch_start(Index epoch) override {
    if (epoch == case_.freeze_in) first_[0].tensor.set_requires_grad(false);
    at("on_epoch_start");
  }
  void on_step_start(std::int64_t) override { at("on_step_start"); }
  void on_step_end(const train::StepStats&) override { at("on_step_end"); }
  void on_log(const train::StepStats&, const train::LayerReport&) override { at("on_log"); }
  void on_epoch_end(const train::EpochStats&) override { at("on_epoch_end"); }
  void on_validation_start() override { at("on_validation_start"); }
  void on_validation_end(const train::EvaluationStats&) override { at("on_validation_end"); }
  void on_checkpoint(const fs::path&) override { at("on_checkpoint"); }
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

inline std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
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

// One session, from the directory when it has a run. Exceptions of a hook end it like everything else.
inline End session(const Case& c, const fs::path& dir, bool checkpoints, Rng& rng, const Interruption* interruption) {
  const fs::path run = dir / "run" / "1";
  auto options = c.options;
  options.checkpoints = off;
  if (checkpoints) {
    options.checkpoints = random_cadence(rng);
    options.checkpoints->dir = dir;
  } else {
    options.metrics_csv = off;
  }
  const bool resumes = checkpoints && fs::exists(run);
  auto model = model_of(c, resumes ? 99 : c.seed);  // what is resumed does not depend on the weights before it
  Interrupted trainer(model, c, options);
  if (interruption) trainer.interrupt(*interruption);
  const auto data = data_of(c);
  End end;
  try {
    const auto result = resumes ? trainer.resume(run, data) : trainer.fit(data);
    for (const char* name : {"verification_failed", "not_reproducible"})
      if (result.anomaly_counts.contains(name)) throw std::runtime_error(std::string(name) + " on a healthy machine");
    end.fit = result;
    end.result = text_of(result);
  } catch (const Mine&) {
  }
  end.weights = hash_of(model);
  end.calls = trainer.calls();
  if (!checkpoints) return end;
  end.metrics = bytes_of(run / train::MetricsLog::file_name);
  const auto newest = train::CheckpointStore::load_newest(run);
  const auto state = timeless(newest->state);
  train::restore(model, state.parameters, state.buffers);
  end.diverged =
      end.fit.reason == train::StopReason::finished && !end.fit.best_restored && hash_of(model) != end.weights;
  for (auto& section : train::encode(state)) end.state.emplace_back(section.name, std::move(section.bytes));
  return end;
}

}  // namespace resume_case
