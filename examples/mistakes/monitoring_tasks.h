#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gallery.h"
#include "tasks.h"

// What the monitoring rows have on top of tasks.h.

namespace gallery {

/// A loop written by hand, as bare_loop, where one can look on and meddle. It goes on whatever the loss is.
struct WatchedLoop {
  Index epochs;
  Index batch_size = 32;
  std::uint64_t seed;  // its batches are those of a Trainer with that seed and data
  train::Loss loss = cross_entropy;
  /// Steps count from 1.
  std::function<void(std::int64_t step, const train::Batch& batch)> before_step = {};
  std::function<bool(std::int64_t step, double loss)> after_step = {};  // false ends training

  void run(const nn::Layer& model, const train::Dataset& data, optim::Optimizer& optimizer,
           const optim::Schedule& lr) const;
};

struct Readings {
  train::TensorDataset train, test;
};
/// A sensor [N, 1] that follows a smooth curve of four inputs [N, 4] with a noise of 0.1. That share of the training
/// readings is off by hundreds.
Readings readings(std::uint64_t seed, double wild);

/// The parameters in one group that does not decay.
std::vector<optim::ParamGroup> one_group(const nn::Module& model);
/// The first rows of a data set as one of their own.
train::TensorDataset first_rows(const train::TensorDataset& data, Index count);

/// The share of samples whose largest output is at their class.
double accuracy_on(const train::TensorDataset& data, const nn::Layer& model);
/// Whether all parameters have the same bits.
bool same_bits(const train::ModelState& a, const train::ModelState& b);
/// A share as a percentage: "97 %".
std::string percent(double share);

/// A Trainer as it is, reporting to that sink, without files.
train::TrainerOptions defaults(Index epochs, std::uint64_t seed, std::shared_ptr<train::LogSink> sink);
/// The first anomaly of that name, at that place when one is given; null for none.
const train::Anomaly* find(const std::vector<train::Anomaly>& anomalies, const std::string& name,
                           const std::string& where = {});

}  // namespace gallery
