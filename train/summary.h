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
  std::optional<double> lr;  // nothing while it is still to be found
  std::string lr_source;     // "by the LR finder", say
  const Loader& loader;
  Index batches;  // to an epoch
  const Loader* validation;
  std::string validation_source;
  bool is_raw;          // the training data, so that a normalization is fitted
  std::string run_dir;  // empty when nothing is written
};

/// The rate and where it is from; the constants and where they are from.
std::string lr_text(double lr, const std::string& source);
std::string normalization_text(const Normalization& constants, const char* source);

/// What is on, what was opted out, and the numbers that were derived. Every opt-out has a line of its own.
std::vector<SummaryItem> summarise(const TrainerOptions& options, const Plan& plan);

}  // namespace handrail::train
