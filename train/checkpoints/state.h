#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/optim/optimizer.h>
#include <handrail/train/data/dataset.h>
#include <handrail/train/data/model_info.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// How far a run has come. Everything is counted, so that a run that is resumed in the middle of an epoch continues as
/// if it had never stopped.
struct Progress {
  Index epoch = 1;                              // the epoch under way, from 1
  Index batch = 0;                              // batches of this epoch that are done
  std::int64_t step = 0;                        // optimizer updates made
  std::int64_t micro_step = 0;                  // batches trained on
  std::int64_t skipped = 0;                     // steps whose update was not made
  std::int64_t rollbacks = 0;                   // returns to the last good state
  double epoch_loss = 0;                        // the sum of the losses of the samples of this epoch so far
  Index epoch_samples = 0;                      // the number of these samples
  std::vector<MetricValue> epoch_metrics = {};  // sums over these samples
  double lr_factor = 1;                         // the product of all reductions of the rate by guards
  double seconds = 0;                           // of training in earlier sessions of the run
};

/// What is decided at the start of a run and holds to its end.
struct Decisions {
  double lr = 0;                   // the peak learning rate
  std::int64_t planned_steps = 0;  // optimizer steps of all epochs
  std::uint64_t seed = 0;          // TrainerOptions::seed
};

/// Tensors by their names.
using NamedTensors = std::map<std::string, Tensor>;

/// Everything that changes in a training run. A checkpoint holds it.
struct TrainingState {
  NamedTensors parameters, buffers;                   // of the model, by their full names
  optim::OptimizerState optimizer;                    // moments and update counts, by the names of the parameters
  Progress progress;                                  // where the run continues
  Decisions decisions;                                // which a resume does not make again
  std::map<std::string, std::vector<double>> guards;  // what guards, early stopping and averages remember, by name
  std::optional<Best> best = {};                      // absent while no evaluation was good
  NamedTensors best_parameters, best_buffers;         // the weights of `best`; empty without one
  // The options and properties of model, data and build that must not differ on resume: texts by name.
  std::map<std::string, std::string> settings = {};
  std::uint64_t log_length = 0;                                  // the length of metrics.csv, in bytes
  ModelInfo model = {};                                          // what the model needs to predict besides its weights
  double train_loss = std::numeric_limits<double>::quiet_NaN();  // of the last completed epoch; NaN before the first
  std::optional<Evaluation> validation = {};                     // the last one
  // The last good state, whose parameters, buffers and moments a rollback restores; null when it is this state. It has
  // the decisions, settings and model of this state, and no `good` of its own.
  std::shared_ptr<const TrainingState> good = {};
};

}  // namespace handrail::train
