#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <handrail/handrail.h>

#include "support/no_checks.h"

// Random small training runs, many of which roll back, are ended by a guard or end diverged.

namespace resume_case {

using namespace handrail;
using train::off;

/// A run: its data, its model, its options, and steps at which its rate is far too high.
struct Case {
  std::uint64_t seed = 0;
  bool regression = false;
  Index rows = 60;
  double bad_rows = 0;  // the share of the samples with a NaN
  Index width = 8;
  bool norm = false;
  double dropout = 0;
  std::int64_t shock_from = 0, shock_to = -1;  // steps whose rate is multiplied by `shock`
  double shock = 1;
  Index freeze_in = 0;     // the epoch in which a hook freezes the first layer; 0: never
  bool overrules = false;  // whether on_anomaly answers rollbacks with a mere reduction now and then
  train::TrainerOptions options = {};
};

inline train::TensorDataset data_of(const Case& c) {
  Rng rng(c.seed + 1);
  const Tensor inputs = normal({c.rows, 3}, 0, 1, rng), targets(c.regression ? Shape{c.rows, 1} : Shape{c.rows});
  for (Index i = 0; i < c.rows; ++i) {
    const Scalar sum = inputs.at({i, 0}) + inputs.at({i, 1}) * inputs.at({i, 2});
    const auto noise = static_cast<Scalar>(rng.normal());
    targets.mutable_data()[i] = c.regression ? sum + noise / 4 : static_cast<Scalar>(sum + noise > 0);
    if (rng.uniform() < c.bad_rows) inputs.mutable_data()[3 * i] = std::numeric_limits<Scalar>::quiet_NaN();
  }
  return {inputs, targets, {.check_finite = false}};
}

inline nn::Sequential model_of(const Case& c, std::uint64_t seed) {
  Rng rng(seed);
  nn::Sequential model{nn::Linear{3, c.width, rng}};
  if (c.norm) model.push_back(nn::BatchNorm1d{c.width});
  model.push_back(nn::ReLU{});
  if (c.dropout > 0) model.push_back(nn::Dropout{c.dropout});
  model.push_back(nn::Linear{c.width, c.regression ? 1 : 2, rng});
  return model;
}

/// Only what has to do with a run that is stopped: no checks before the first step, no output.
inline train::TrainerOptions plain_options() { return {.epochs = 1, .checks = no_checks(), .sinks = {}}; }

/// Any limits: they must not matter to the weights.
inline train::CheckpointOptions random_cadence(Rng& rng) {
  train::CheckpointOptions every{.name = "run", .keep_last = 1 + static_cast<Index>(rng.below(3))};
  if (rng.below(3) > 0) every.every_n_steps = 1 + static_cast<std::int64_t>(rng.below(9));
  every.every_n_epochs = 1 + static_cast<Index>(rng.below(3));
  if (rng.below(3) == 0) every.every_minutes = 1e-6 * std::pow(10, rng.uniform());
  return every;
}

inline Case random_case(std::uint64_t seed) {
  Rng rng(StreamKey{.seed = seed, .stream = Stream::user});
  const auto one_of = [&](int n) { return rng.below(static_cast<std::uint64_t>(n)) == 0; };
  const auto up_to = [&](int n) { return 1 + static_cast<Index>(rng.below(static_cast<std::uint64_t>(n))); };
  Case c{.seed = seed,
         .regression = one_of(2),
         .rows = 20 + up_to(80),
         .bad_rows = one_of(4) ? 0.5 * rng.uniform() : 0,
         .width = 2 + up_to(10),
         .norm = one_of(3),
         .dropout = one_of(3) ? 0.3 : 0,
         .freeze_in = one_of(6) ? up_to(3) : 0,
         .overrules = one_of(6),
         .options = plain_options()};
  train::TrainerOptions& o = c.options;
  o.epochs = up_to(6);
  o.batch_size = 2 + up_to(20);
  o.accumulate_grad_batches = one_of(3) ? up_to(3) : 1;
  o.drop_last = one_of(4) && c.rows > 2 * o.batch_size;
  if (one_of(3)) o.optimizer = train::with<optim::SGD>({.momentum = 0.9});
  if (one_of(4)) o.optimizer = train::with<optim::Adam>();
  o.lr = one_of(4) ? std::pow(10.0, 4 * rng.uniform() - 1) : std::pow(10.0, -1 - 2 * rng.uniform());
  o.lr_scaling = train::LrScaling::none;
  o.decay = one_of(2) ? train::Decay::constant : one_of(2) ? train::Decay::linear : train::Decay::cosine;
  if (one_of(2)) o.warmup = off;
  if (one_of(2)) o.clip_norm = off;
  if (one_of(3)) o.ema_beta = 0.9;
  if (one_of(3)) o.validation_split = off, o.monitor = one_of(2) ? "train_loss" : "val_loss";
  o.stratify = one_of(2);
  o.val_check_interval = one_of(2) ? up_to(9) : 1000;
  if (one_of(3)) o.patience = off;
  if (one_of(3)) o.patience = up_to(4);
  if (one_of(2)) o.improvement = train::Improvement::plain;
  o.restore_best = one_of(2);
  if (one_of(8)) o.guards.spike = off;
  if (one_of(8)) o.guards.divergence = off;
  if (one_of(8)) o.guards.layers = off;
  if (one_of(4)) o.limit_val_batches = up_to(4);
  o.log_every_n_steps = up_to(5);
  o.seed = rng.below(1000);
  if (one_of(6) && !c.regression) o.metrics = {train::F1{}};
  if (one_of(40)) {  // beyond the first thousand steps
    c.rows = 2200;
    o.batch_size = 2;
    o.epochs = 1;
    o.accumulate_grad_batches = 1;
  }
  if (one_of(2)) {  // at any step, or near the end
    const auto steps = static_cast<std::uint64_t>(o.epochs * (c.rows / o.batch_size / o.accumulate_grad_batches + 1));
    c.shock_from = one_of(2) ? 1 + static_cast<std::int64_t>(rng.below(steps))
                             : std::max<std::int64_t>(1, static_cast<std::int64_t>(steps) - up_to(6));
    c.shock_to = c.shock_from + up_to(6);
    c.shock = std::pow(10.0, 1 + 5 * rng.uniform());
  }
  if (one_of(4)) o.verify_steps = one_of(2) ? 1 : rng.uniform();
  return c;
}

}  // namespace resume_case
