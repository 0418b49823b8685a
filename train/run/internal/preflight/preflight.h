#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include <handrail/train/checks/internal/data_review.h>
#include <handrail/train/checks/internal/settings/optimizer_checks.h>
#include <handrail/train/checks/internal/settings/settings_checks.h>
#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/run/loop/loop.h>

namespace handrail::train {

/// Does what comes before the first step: reads the rows, checks data and model, and chooses the learning rate.
class Preflight {
 public:
  /// Made before rehearsals, which write to the parameters.
  Preflight(Setup& setup, Loop& loop, Desk& desk, Stop& stop)
      : setup_(setup),
        loop_(loop),
        desk_(desk),
        stop_(stop),
        trained_(trained_parameters(setup.parameters, setup.optimizer->groups())) {}

  /// Warns when another library has changed the floating-point mode of the processor.
  void check_floating_point();
  /// Chooses the rows of the split, fits the normalization, and makes the loaders of the run. Data that is not in
  /// memory is read once. for_checks: whether check_data() follows, which needs samples of it.
  void read_data(bool for_checks);
  /// Throws OptionError when TrainerOptions::monitor names a value that is not measured, and what a metric throws when
  /// the predictions do not suit it. Without this, the user would learn of it at the end of the first epoch.
  void check_monitor();
  /// Makes the checks of the data that CheckOptions ask for, and gives the model scales for raw data: see
  /// standardise.h. Throws DataError, ShapeError or OptionError.
  void check_data();
  /// Looks for limits that are meant for tests of a program. A fast_dev_run makes this check alone.
  void check_limits();
  /// Checks what the optimizer trains, its numbers and its schedule. It comes before the checks of the model, which
  /// fail for a bad optimizer too.
  void check_settings();
  /// Checks whether enough updates are planned. It comes after the checks of the rate: one that is far off does more
  /// harm than few updates.
  void check_steps();
  /// Checks the weight decay at the rate that was chosen.
  void check_decay_and_clip();
  /// Makes the checks of the model that CheckOptions ask for.
  void check_model();
  /// Sets the rate that the LR finder suggests.
  void pick_lr();
  /// Reports a given rate that is far from the one that a short sweep suggests. Refuses and changes nothing.
  void check_lr();
  /// Measures the initial loss: see GoodState::measure_start.
  void measure_start();

  /// Makes the sweep of fit. The model is unchanged afterwards.
  LrFinderResult sweep();
  /// Makes the sweep that `options` describe. The model is unchanged afterwards.
  LrFinderResult sweep(const LrFinderOptions& options) { return sweep(options, setup_.planned_run()); }

  /// What the rules about data found, for those that look at the finished run.
  const DataReview& review() const { return review_; }
  /// Lines that the checks add to the summary.
  const std::vector<SummaryItem>& found() const { return found_; }

 private:
  std::shared_ptr<const Preview> preview(const Dataset& data, const char* what, bool all_targets);
  std::optional<Index> classes() const;
  PlannedSteps planned_steps() const;
  void check_reading(const DataPart& kept);
  void check_overfit_batch();
  LrFinderResult sweep(const LrFinderOptions& options, const PlannedRun& run, Index fixed_rows = 0,
                       double max_seconds = std::numeric_limits<double>::infinity());
  LrFinderResult bounded_sweep();
  bool are_finite(const MicroBatches& batches) const;

  Setup& setup_;
  Loop& loop_;
  Desk& desk_;
  Stop& stop_;
  std::vector<SummaryItem> found_;
  DataReview review_;
  Trained trained_;
};

}  // namespace handrail::train
