#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>
#include <handrail/train/data/rows.h>
#include <handrail/train/run/options.h>

namespace handrail::train {

/// What decides how a run continues, besides the options.
struct RunParts {
  const optim::Optimizer& optimizer;
  const nn::Module& model;
  std::span<const Parameter> parameters;
  const std::optional<Normalization>& normalization;
  Rows training;
  Index training_samples;  // in an epoch
  std::optional<Rows> validation;
  Index validation_samples;    // in an evaluation
  std::function<void()> poll;  // called now and then while data is read; it may throw
};

/// The fingerprint of a run: text by name for everything that must not change when it is resumed. It holds each option
/// whose OptionInfo says `fixed`, by its name, and optimizer, normalization, model, parameters, samples, library
/// and build. Of each data set it reads up to 64 samples, twice. Of one in memory it has a hash of every row as well,
/// unless the two readings differ, because samples are made anew each time.
std::map<std::string, std::string> fingerprint(const TrainerOptions& options, const RunParts& parts);

/// Compares the fingerprint that a run began with and the present one. Throws CheckpointError listing everything that
/// differs and is not in `allow`, and OptionError for an unknown name in `allow`. Names that the checkpoint lacks,
/// because an older version of the library wrote it, count as a difference of "library".
void check_fingerprint(const std::map<std::string, std::string>& begun, const std::map<std::string, std::string>& now,
                       const std::vector<std::string>& allow);

}  // namespace handrail::train
