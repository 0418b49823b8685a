#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/optim/optimizer.h>
#include <handrail/train/data/rows.h>
#include <handrail/train/run/options.h>

namespace handrail::train {

/// What decides, besides the options, how a run continues.
struct RunParts {
  const optim::Optimizer& optimizer;
  std::span<const Parameter> parameters;
  const std::optional<Normalization>& normalization;
  Rows training;
  Index training_samples;  // of an epoch
  std::optional<Rows> validation;
  Index validation_samples;  // of an evaluation
};

/// The fingerprint of a run: text by name for everything that must not change when it is resumed. It holds each option
/// whose OptionInfo says `fixed`, by its name, and optimizer, normalization, parameters, samples, library and build.
/// Reads up to 64 samples of each data set.
std::map<std::string, std::string> fingerprint(const TrainerOptions& options, const RunParts& parts);

/// Compares the fingerprint that a run began with to that of now. Throws CheckpointError listing all that differs and
/// is not in `allow`, and OptionError on a name in `allow` that there is not. What the library that wrote the
/// checkpoint did not record counts as a difference of "library".
void check_fingerprint(const std::map<std::string, std::string>& begun, const std::map<std::string, std::string>& now,
                       const std::vector<std::string>& allow);

}  // namespace handrail::train
