#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <handrail/optim/optimizer.h>
#include <handrail/train/data/dataset.h>
#include <handrail/train/data/model_info.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// How far a run has come: everything is counted, so that a run resumed in the middle of an epoch
/// goes on as if it had never stopped.
struct Progress {
  Index epoch = 1;              // under way
  Index batch = 0;              // batches of it done
  std::int64_t step = 0;        // optimizer updates made
  std::int64_t micro_step = 0;  // batches trained on
  std::int64_t skipped = 0;
  std::int64_t rollbacks = 0;
  double epoch_loss = 0;  // summed over the samples of the epoch so far
  Index epoch_samples = 0;
  std::vector<MetricValue> epoch_metrics = {};  // summed like the loss
  double lr_factor = 1;                         // what guards made of the rate
  double seconds = 0;                           // of training before this session
};

/// What was derived at the start of a run, and holds to its end.
struct Decisions {
  double lr = 0;  // the peak rate
  std::int64_t planned_steps = 0;
  std::uint64_t seed = 0;
};

using NamedTensors = std::map<std::string, Tensor>;

/// All of a training run that changes, by name: what a checkpoint holds, and what a rollback restores.
struct TrainingState {
  NamedTensors parameters, buffers;
  optim::OptimizerState optimizer;
  Progress progress;
  Decisions decisions;
  std::map<std::string, std::vector<double>> guards;  // and early stopping
  std::optional<Best> best = {};
  NamedTensors best_parameters, best_buffers;  // empty without best
  // Of options, model, data and build, what must not differ on resume: by name, as text.
  std::map<std::string, std::string> settings = {};
  std::uint64_t log_length = 0;  // of metrics.csv, in bytes
  ModelInfo model = {};
};

}  // namespace handrail::train
