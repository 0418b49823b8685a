#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/train/metrics/evaluation.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/result.h>

namespace handrail::train {

/// One of the fits of cross_validate or fit_ensemble.
struct Part {
  FitResult fit;
  std::optional<Evaluation> test = {};  // of a fold, unless its fit was interrupted
};

/// What the fits are called in messages.
struct PartNames {
  const char* kind;      // "fold"
  const char* activity;  // "training the folds"
};

/// Makes `count` fits, one after another. run: called with the number of the fit, from 0, and the options of its
/// Trainer: those given, with a seed of its own and without checkpoints and metrics.csv. Their sinks get activities and
/// a PartEnd only. With options.handle_signals a signal ends the fit under way, after which no other one is made.
/// Returns the number of that signal; 0 without one. Throws what `run` throws.
int run_parts(const PartNames& names, Index count, const TrainerOptions& options,
              const std::function<Part(Index number, const TrainerOptions&)>& run);

/// The diagnosis of all fits together: one line for each name of an anomaly, which says in which fit it came first.
/// kind: what a fit is called.
std::string diagnosis_text(const char* kind, std::span<const FitResult* const> fits);

}  // namespace handrail::train
