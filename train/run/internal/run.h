#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <handrail/train/run/internal/preflight.h>

namespace handrail::train {

/// One call of fit, resume or find_lr: the start, the loop, and the end that is gone through whatever ended the loop.
class Run {
 public:
  Run(const Program& program, RunData data);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Checks, picks the rate, trains, and leaves the model with the best weights.
  FitResult fit();
  /// Goes on from the newest checkpoint of that directory.
  FitResult resume(const std::filesystem::path& run_dir, const ResumeOptions& options);
  /// The sweep alone; the model is as before.
  LrFinderResult find_lr(const std::optional<LrFinderOptions>& options);

 private:
  FitResult train(const std::function<void()>& start);
  void prepare();
  void take_up(const std::filesystem::path& run_dir, const ResumeOptions& options);

  void send_fit_start();
  void send_train_start();
  std::string lr_source() const;
  std::string resumed_text() const;
  std::string own_schedule() const;

  void save_last_state();
  void leave_weights();
  void diagnose_predictions();
  void complete_result();

  Setup setup_;
  Desk desk_;
  Stop stop_;
  Loop loop_;
  Preflight preflight_;
  bool resumed_ = false;
  bool diverged_ = false;  // at the end
};

}  // namespace handrail::train
