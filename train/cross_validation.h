#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <handrail/train/data/dataset.h>
#include <handrail/train/metrics/evaluation.h>
#include <handrail/train/metrics/score.h>
#include <handrail/train/run/loss.h>
#include <handrail/train/run/model_maker.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/result.h>

namespace handrail::train {

/// The options of cross_validate.
struct CrossValidationOptions {
  Index folds = 5;  // at least 2
};

/// One fold of a cross-validation.
struct Fold {
  FitResult fit;    // on the rows of the other folds
  Evaluation test;  // on the rows of this fold
};

/// The result of cross_validate.
struct CrossValidation {
  std::vector<Fold> folds;  // those that are complete: all, unless a signal ended it
  Index planned_folds;      // CrossValidationOptions::folds
  int signal = 0;           // the number of the signal that ended it; 0 without one

  /// The mean loss on the rows that were held out. Throws MetricError, as the two functions below do, when no fold is
  /// complete.
  Score loss() const;
  /// The accuracy. Throws MetricError, saying why, when there is none.
  Score accuracy() const;
  /// A metric of TrainerOptions::metrics, such as metric("f1"). Throws MetricError, listing those that were measured,
  /// when there is none of this name.
  Score metric(std::string_view name) const;

  /// The scores as a table, with mean and interval of each, and how many folds had warnings. Empty when no fold is
  /// complete.
  std::string text() const;
  /// The diagnosis of all folds as text: one line for each name of an anomaly. Empty without anomalies.
  std::string diagnosis_text() const;
  /// The exit status for main: 128 + the number of the signal when there was one; otherwise 0.
  int exit_status() const { return signal != 0 ? 128 + signal : 0; }
};

/// Measures how well a program predicts rows that it has not seen: deals the rows out to folds, and for each fold makes
/// a model, trains it on the rows of all other folds with a Trainer, and evaluates it on those of the fold.
///
///   const auto make_model = [](Rng& rng, const train::Dataset& rows) {
///     return nn::Sequential{nn::Standardize::fit(rows), nn::Linear{13, 32, rng}, nn::ReLU{}, nn::Linear{32, 3, rng}};
///   };
///   const auto wine = train::cross_validate(make_model, cross_entropy, {.epochs = 100}, data);
///   std::cout << wine.text();
///
/// Every fold has the same share of each class, unless options.stratify is off or the loss is that of a regression.
/// The validation set for early stopping is split off the rows that are trained on, as in Trainer::fit. Folds and
/// weights follow from options.seed: fold k has derived_seed(options.seed, k), for the Rng of the model too. The fits
/// are made one after another and write no files. The sinks get a PartEnd for each. options.max_seconds is for each
/// fit. After SIGINT or SIGTERM the result has the folds that are complete.
/// Throws OptionError for folds < 2 and for options that are wrong; DataError for fewer rows than folds; and what
/// make_model, Trainer::fit and Trainer::evaluate throw. A row in such an error counts within the rows of its fit.
CrossValidation cross_validate(const ModelMaker& make_model, const Loss& loss, const TrainerOptions& options,
                               const Dataset& data, const CrossValidationOptions& cross_validation = {});

}  // namespace handrail::train
