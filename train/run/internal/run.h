#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <handrail/train/run/internal/preflight/preflight.h>

namespace handrail::train {

/// One call of fit, resume or find_lr: the start, the loop, and the end, which is made whatever ended the loop.
class Run {
 public:
  Run(const Program& program, RunData data);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Makes the checks, chooses the rate, trains, and leaves the model with the best weights. run_dir: the directory of
  /// the run; empty for a new one.
  FitResult fit(const std::filesystem::path& run_dir = {});
  /// Continues from the newest checkpoint of that directory.
  FitResult resume(const std::filesystem::path& run_dir, const ResumeOptions& options);
  /// Makes only the sweep: that of `options`, or that of fit without any. The model is unchanged afterwards.
  LrFinderResult find_lr(const std::optional<LrFinderOptions>& options);

 private:
  FitResult train(const std::function<void()>& start);
  void prepare();
  void keep_start();
  void check_logs(const std::filesystem::path& run_dir) const;
  void take_up(const std::filesystem::path& run_dir, const ResumeOptions& options);

  void send_fit_start();
  void send_train_start();
  std::string lr_source() const;
  std::string resumed_text() const;
  std::string own_schedule() const;

  void save_last_state();
  void leave_weights();
  void diagnose_predictions();
  void report_end_checks();
  void calibrate_outputs();
  void complete_result();
  bool has_failed() const;
  void note_end();

  Setup setup_;
  Desk desk_;
  Stop stop_;
  Loop loop_;
  Preflight preflight_;
  std::optional<TrainingState> start_;  // see LastRun
  bool resumed_ = false;
  bool diverged_ = false;  // whether training had diverged at the end of the run
};

/// Writes the report of the run that has left program.last_run again, with what followed it. A failure is told to the
/// sinks and added to the anomalies of the result.
void add_to_report(const Program& program, FitResult& result);

}  // namespace handrail::train
