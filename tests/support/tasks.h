#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <handrail/handrail.h>

#include "no_checks.h"

// Small tasks and trainers for tests of the Trainer.

inline constexpr handrail::Scalar nan_value = std::numeric_limits<handrail::Scalar>::quiet_NaN();

/// Points in the plane, class 1 right of a line.
inline handrail::train::TensorDataset points(handrail::Index count, std::uint64_t seed = 1) {
  handrail::Rng rng(seed);
  const handrail::Tensor inputs = handrail::normal({count, 2}, 0, 1, rng), targets(handrail::Shape{count});
  for (handrail::Index i = 0; i < count; ++i)
    targets.mutable_data()[i] = inputs.at({i, 0}) + inputs.at({i, 1}) > 0 ? 1 : 0;
  return {inputs, targets};
}

/// The same with some elements of the inputs replaced, by row; to be found by the guards.
inline handrail::train::TensorDataset points_with(handrail::Index count, const std::vector<handrail::Index>& rows,
                                                  handrail::Scalar value) {
  const auto clean = points(count);
  const handrail::Tensor inputs = clean.inputs().clone();
  for (const handrail::Index row : rows) inputs.mutable_data()[2 * row] = value;
  return {inputs, clean.targets(), {.check_finite = false}};
}

/// Two classes that cannot be told apart: training memorises them, and validation only gets worse.
inline handrail::train::TensorDataset coin_flips(handrail::Index count, std::uint64_t seed = 1) {
  handrail::Rng rng(seed);
  const handrail::Tensor inputs = handrail::normal({count, 2}, 0, 1, rng), targets(handrail::Shape{count});
  for (handrail::Scalar& target : targets.mutable_span()) target = static_cast<handrail::Scalar>(rng.below(2));
  return {inputs, targets};
}

/// Makes models for two inputs and two classes, for several fits.
inline constexpr auto make_small = [](handrail::Rng& rng) {
  return handrail::nn::Sequential{handrail::nn::Linear{2, 8, rng}, handrail::nn::ReLU{},
                                  handrail::nn::Linear{8, 2, rng}};
};

/// For two inputs and two classes.
inline handrail::nn::Sequential small_model(std::uint64_t seed = 1) {
  handrail::Rng rng(seed);
  return handrail::nn::Sequential{handrail::nn::Linear{2, 16, rng}, handrail::nn::ReLU{},
                                  handrail::nn::Linear{16, 2, rng}};
}

/// Likewise, with running statistics and dropout.
struct NormModel : handrail::nn::Layer {
  explicit NormModel(std::uint64_t seed = 1, double drop = 0.2) : NormModel(handrail::Rng(seed), drop) {}
  handrail::Tensor forward(const handrail::Tensor& x) const override { return out(dropout(relu(norm(in(x))))); }
  handrail::nn::Linear& in;
  handrail::nn::BatchNorm1d& norm;
  handrail::nn::Dropout& dropout;
  handrail::nn::Linear& out;

 private:
  NormModel(handrail::Rng rng, double drop)
      : in(add("in", handrail::nn::Linear{2, 16, rng})),
        norm(add("norm", handrail::nn::BatchNorm1d{16})),
        dropout(add("dropout", handrail::nn::Dropout{drop})),
        out(add("out", handrail::nn::Linear{16, 2, rng})) {}
};

/// The options without console and checkpoints.
inline handrail::train::TrainerOptions quiet(handrail::train::TrainerOptions options) {
  options.checkpoints = handrail::train::off;
  options.metrics_csv = handrail::train::off;
  options.sinks = {};
  return options;
}
/// Also without checks before the first step and after the last, and without what follows from them.
inline handrail::train::TrainerOptions bare(handrail::train::TrainerOptions options) {
  options.checks = no_checks();
  options.standardize = handrail::train::off;
  options.guards.duration = options.guards.evaluation = options.guards.linear = handrail::train::off;
  return quiet(std::move(options));
}

inline bool all_finite(const handrail::nn::Module& model) {
  for (const auto& p : model.parameters())
    for (const handrail::Scalar value : p.tensor.span())
      if (!std::isfinite(value)) return false;
  for (const auto& b : model.buffers())
    for (const handrail::Scalar value : b.tensor.span())
      if (!std::isfinite(value)) return false;
  return true;
}

/// The first anomaly of that name; null for none.
inline const handrail::train::Anomaly* find_anomaly(const handrail::train::FitResult& result, const std::string& name) {
  for (const auto& anomaly : result.anomalies)
    if (anomaly.name == name) return &anomaly;
  return nullptr;
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A trainer whose hooks are set from outside.
struct Hooked : handrail::train::Trainer {
  using Trainer::Trainer;
  std::function<void()> fit_start, validation_start, exception;
  std::function<void(handrail::Index)> epoch_start;
  std::function<void(std::int64_t)> step_start;
  std::function<void(const handrail::train::StepStats&)> step_end, log;
  std::function<void(const handrail::train::EvaluationStats&)> validation_end;
  std::function<void(const handrail::train::EpochStats&)> epoch_end;
  std::function<void(const std::filesystem::path&)> checkpoint;
  std::function<void(const handrail::train::FitResult&)> fit_end;
  std::function<handrail::train::Action(const handrail::train::Anomaly&)> anomaly;
  /// The attempted step under way, from 1, and rejected ones count; 0 in checks and sweeps.
  std::int64_t attempt = 0;

 protected:
  void on_fit_start() override { call(fit_start); }
  void on_epoch_start(handrail::Index epoch) override { call(epoch_start, epoch); }
  void on_step_start(std::int64_t step) override {
    ++attempt;
    call(step_start, step);
  }
  void on_step_end(const handrail::train::StepStats& stats) override { call(step_end, stats); }
  void on_log(const handrail::train::StepStats& stats, const handrail::train::LayerReport&) override {
    call(log, stats);
  }
  void on_validation_start() override { call(validation_start); }
  void on_validation_end(const handrail::train::EvaluationStats& stats) override { call(validation_end, stats); }
  void on_epoch_end(const handrail::train::EpochStats& stats) override { call(epoch_end, stats); }
  void on_checkpoint(const std::filesystem::path& path) override { call(checkpoint, path); }
  void on_exception(const std::exception_ptr&) override { call(exception); }
  void on_fit_end(const handrail::train::FitResult& result) override { call(fit_end, result); }
  handrail::train::Action on_anomaly(const handrail::train::Anomaly& found) override {
    return anomaly ? anomaly(found) : found.action;
  }

 private:
  template <class F, class... Arguments>
  static void call(const F& f, const Arguments&... arguments) {
    if (f) f(arguments...);
  }
};

/// A trainer with bad steps: those attempts for which bad() says so have a loss or a gradient that is NaN.
struct Poisoned : Hooked {
  using Hooked::Hooked;
  std::function<bool(std::int64_t)> bad = [](std::int64_t) { return false; };
  bool in_gradient = false;

 protected:
  handrail::train::StepOutput training_step(const handrail::train::Batch& batch) override {
    handrail::train::StepOutput out = Hooked::training_step(batch);
    if (attempt == 0 || !bad(attempt)) return out;
    if (in_gradient)  // sqrt at 0: the value is fine, the slope is infinite
      out.loss = out.loss + handrail::sqrt(handrail::mean(out.predictions * 0.0));
    else
      out.loss = out.loss * static_cast<double>(nan_value);
    return out;
  }
  handrail::train::StepOutput validation_step(const handrail::train::Batch& batch) override {
    return Hooked::training_step(batch);
  }
};
