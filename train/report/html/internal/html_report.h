#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <handrail/train/files/file_system.h>
#include <handrail/train/report/html/internal/record.h>
#include <handrail/train/report/sink.h>

namespace handrail::train::html {

/// Collects what the report of a run shows, and writes it: see docs/guides/report.md. A step costs a few nanoseconds
/// and makes no heap call; the memory is bounded.
class HtmlReport final : public LogSink {
 public:
  static constexpr const char* file_name = "report.html";

  /// path: that of the report, absolute.
  explicit HtmlReport(std::filesystem::path path) : path_(std::move(path)) {}

  /// Begins with the figures of the sessions before `step`, from the first `length` bytes of their metrics.csv. What
  /// cannot be read of them is missing, and the report says so.
  void resume(FileSystem& files, const std::filesystem::path& csv, std::uint64_t length, std::int64_t step);
  /// Notes that the run was resumed at `step` and has no metrics.csv.
  void resume_without_log(std::int64_t step);

  void fit_start(const FitStart& event) override { record_.start = event; }
  void train_start(const TrainStart& event) override { record_.lr_finder = event.lr_finder; }
  void step_end(const StepStats& stats) override { record_.steps.add(stats); }
  void layers(const LayerReport& report) override { record_.layers.add(report); }
  void evaluated(const EvaluationStats& stats) override;
  void epoch_end(const EpochStats& stats) override;

  /// Replaces the report by one of the run with this result, which is the result so far unless the run is over. At any
  /// moment the file is the old one or the new one, complete. Returns why it could not be written; empty when it was.
  /// Throws nothing but std::bad_alloc.
  std::string write(FileSystem& files, const FitEnd& result, bool is_over) const;
  /// Replaces the report of a run that is over by one with what followed it, in the directory at its path unless that
  /// is a link by now. Returns and throws as write() does.
  std::string write_again(const FitEnd& result) const;

 private:
  std::filesystem::path path_;
  Record record_;
};

}  // namespace handrail::train::html
