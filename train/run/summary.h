#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/run/options.h>

namespace handrail::train {

/// What a run will do, as input of its summary.
struct Plan {
  const nn::Module& model;            // for the number of its parameters
  const optim::Optimizer& optimizer;  // for its settings and weight decay
  std::string own_schedule;           // the result of describe_own_schedule
  std::optional<double> lr;           // nothing when the LR finder has still to choose it
  std::string lr_source;              // where the rate is from: "given", "by the LR finder"
  const Loader& loader;               // of the training rows
  Index batches;                      // in an epoch
  const Loader* validation;           // null without a validation set
  std::string validation_source;      // where the validation set is from: "given"
  bool is_raw;                        // whether the training data is raw, so that a normalization is fitted
  std::string run_dir;                // empty when nothing is written
};

/// A line of the summary: the learning rate and where it is from.
std::string lr_text(double lr, const std::string& source);
/// A line of the summary: the normalization and where it is from.
std::string normalization_text(const Normalization& constants, const char* source);
/// A line of the summary: the rates that describe_own_schedule returns.
std::string schedule_text(const std::string& rates);

/// Describes a schedule that differs from the Trainer's own, `trainers`: "1e-05 at step 1, at most 0.001, 1e-05 at the
/// last step". Returns an empty text when the two are the same. They are compared at about a hundred steps, evenly
/// spaced, the first and the last among them.
std::string describe_own_schedule(const optim::Schedule& schedule, const optim::Schedule& trainers,
                                  std::int64_t planned_steps);

/// Returns the lines of the summary: what is on, what was opted out, and the numbers that were derived. Every opt-out
/// has a line of its own.
std::vector<SummaryItem> summarise(const TrainerOptions& options, const Plan& plan);

}  // namespace handrail::train
