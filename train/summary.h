#pragma once

#include <string>
#include <vector>

#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>
#include <handrail/train/loader.h>
#include <handrail/train/options.h>

namespace handrail::train {

/// What a run will do, for its summary.
struct Plan {
  const nn::Module& model;
  const optim::Optimizer& optimizer;
  double lr;
  const Loader& loader;
  const Loader* validation;
  std::string validation_source;
  const std::optional<Normalization>& normalization;
};

/// What is on, what was opted out, and the numbers that were derived.
std::vector<SummaryItem> summarise(const TrainerOptions& options, const Plan& plan);

}  // namespace handrail::train
