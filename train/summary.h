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
  std::string lr_source;  // "by the LR finder", say
  const Loader& loader;
  Index batches;  // to an epoch
  const Loader* validation;
  std::string validation_source;
  const std::optional<Normalization>& normalization;
  std::string run_dir;  // empty without checkpoints
};

/// What is on, what was opted out, and the numbers that were derived. Every opt-out has a line of its own.
std::vector<SummaryItem> summarise(const TrainerOptions& options, const Plan& plan);

}  // namespace handrail::train
