#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <handrail/train/report/sink.h>

namespace handrail::train {

class FileSystem;
class OpenFile;

/// The figures of a run, a line for each:
///
///   step,epoch,name,value
///
/// train_loss, lr and grad_norm of every n-th step; val_loss, val_accuracy and val_NAME of every evaluation;
/// train_loss_epoch and train_NAME of every epoch. Numbers are written so that they read back the same. Only whole
/// lines reach the file. Nothing here throws once it is made: what cannot be written is lost and told of.
class MetricsLog : public LogSink {
 public:
  static constexpr const char* file_name = "metrics.csv";

  /// Appends after the first `length` bytes: those lines belong to the checkpoint that is resumed. A length of 0 starts
  /// an empty log. Throws CheckpointError when the file cannot be created.
  MetricsLog(const std::filesystem::path& path, std::int64_t every_n_steps, std::uint64_t length, FileSystem& files);
  ~MetricsLog() override;

  void step_end(const StepStats& stats) override;
  void evaluated(const EvaluationStats& stats) override;
  void epoch_end(const EpochStats& stats) override;

  /// The length with all lines so far.
  std::uint64_t length() const { return written_ + lines_.size(); }
  /// Writes them all, down to the device: before a checkpoint that tells of their length.
  void sync();
  /// What went wrong since the last call; empty when nothing did.
  std::string take_problem();

 private:
  void line(std::int64_t step, Index epoch, std::string_view name, double value);
  void write();
  void reopen();
  void lose(const char* call);

  std::filesystem::path path_;
  std::int64_t every_n_steps_;
  FileSystem& files_;
  std::unique_ptr<OpenFile> file_;
  std::uint64_t written_ = 0;
  std::string lines_;  // whole ones, not written yet
  std::string problem_;
};

}  // namespace handrail::train
