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

/// What a run will do, for its summary.
struct Plan {
  const nn::Module& model;
  const optim::Optimizer& optimizer;
  std::string own_schedule;  // what an override of configure_schedule does; empty without one
  std::optional<double> lr;  // nothing while it is still to be found
  std::string lr_source;     // "by the LR finder", say
  const Loader& loader;
  Index batches;  // to an epoch
  const Loader* validation;
  std::string validation_source;
  bool is_raw;          // the training data, so that a normalization is fitted
  std::string run_dir;  // empty when nothing is written
};

/// Lines of the summary: the rate and where it is from; the constants and where they are from; the rates that
/// describe_own_schedule gives.
std::string lr_text(double lr, const std::string& source);
std::string normalization_text(const Normalization& constants, const char* source);
std::string schedule_text(const std::string& rates);

/// The rates of a schedule, "1e-05 at step 1, at most 0.001, 1e-05 at the last step", when it differs from the
/// Trainer's own one; empty when it is the same at every step that is looked at. A hundred steps are looked at, the
/// first and the last among them.
std::string describe_own_schedule(const optim::Schedule& schedule, const optim::Schedule& trainers,
                                  std::int64_t planned_steps);

/// What is on, what was opted out, and the numbers that were derived. Every opt-out has a line of its own.
std::vector<SummaryItem> summarise(const TrainerOptions& options, const Plan& plan);

}  // namespace handrail::train
