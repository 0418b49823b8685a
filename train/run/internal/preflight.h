#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/run/loop/loop.h>

namespace handrail::train {

/// What comes before the first step: the rows are read, data and model are checked, the rate is chosen.
class Preflight {
 public:
  Preflight(Setup& setup, Loop& loop, Desk& desk, Stop& stop) : setup_(setup), loop_(loop), desk_(desk), stop_(stop) {}

  /// Warns when another library has changed the floating-point mode of the processor.
  void check_floating_point();
  /// Chooses the rows of the split, fits the normalization, and makes the loaders of the run. Data that is not in
  /// memory is read once for this, and for the checks when `for_checks` is set.
  void read_data(bool for_checks);
  /// Throws OptionError when TrainerOptions::monitor names a figure that nobody measures: before the first step, and
  /// not after the first epoch. So do predictions that do not suit a metric.
  void check_monitor();
  void check_data();
  void check_model();
  /// Decides on the rate that the LR finder suggests.
  void pick_lr();
  void measure_start();

  /// The sweep of fit, or that of the options. The model is as before.
  LrFinderResult sweep();
  LrFinderResult sweep(const LrFinderOptions& options);

  /// Lines of the summary that the checks found.
  const std::vector<SummaryItem>& found() const { return found_; }

 private:
  std::shared_ptr<const Preview> preview(const Dataset& data, const char* what, bool all_targets);
  std::optional<Index> classes() const;
  std::vector<Anomaly> check_first_batch();
  void check_overfit_batch();
  bool are_finite(const MicroBatches& batches) const;

  Setup& setup_;
  Loop& loop_;
  Desk& desk_;
  Stop& stop_;
  std::vector<SummaryItem> found_;
};

}  // namespace handrail::train
