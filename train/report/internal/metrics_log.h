#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/train/report/sink.h>

namespace handrail::train {

class FileSystem;
class OpenFile;

/// Writes the figures of a run to a file, one figure a line:
///
///   step,epoch,name,value
///
/// train_loss, lr and grad_norm of every n-th step, and grad_norm/LAYER, grad_mean/LAYER, grad_max/LAYER,
/// update_ratio/LAYER and dead_units/LAYER of each layer (see LayerStats); val_loss, val_accuracy and val_NAME of every
/// evaluation; train_loss_epoch and train_NAME of every epoch. Numbers read back as exactly the same values. Only whole
/// lines reach the file. After the constructor nothing but std::bad_alloc is thrown: lines that cannot be written are
/// lost, and take_problem() says so.
class MetricsLog : public LogSink {
 public:
  static constexpr const char* file_name = "metrics.csv";

  /// Throws CheckpointError when something other than a regular file is at the path, such as a link, which would have
  /// another file written to, or a pipe, which would block the run. The constructor checks it too.
  static void check_path(const std::filesystem::path& path, FileSystem& files);

  /// Appends after the first `length` bytes: those lines belong to the checkpoint that is resumed. A length of 0 starts
  /// an empty log. Throws CheckpointError when the file cannot be created.
  MetricsLog(const std::filesystem::path& path, std::int64_t every_n_steps, std::uint64_t length, FileSystem& files);
  ~MetricsLog() override;

  void step_end(const StepStats& stats) override;
  void layers(const LayerReport& report) override;
  void evaluated(const EvaluationStats& stats) override;
  void epoch_end(const EpochStats& stats) override;

  /// The length of the file in bytes once all lines so far are written.
  std::uint64_t length() const { return written_ + lines_.size(); }
  /// Writes all lines so far through to the device. To be called before a checkpoint stores length().
  void sync();
  /// Returns the last problem since the previous call and forgets it; empty when there was none.
  std::string take_problem() override;

 private:
  void line(std::int64_t step, Index epoch, std::string_view name, double value);
  void write();
  int write_lines();
  void reopen();
  void lose(const char* call);

  std::filesystem::path path_;
  std::int64_t every_n_steps_;
  FileSystem& files_;
  std::unique_ptr<OpenFile> file_;
  std::uint64_t written_ = 0;
  Index epoch_ = 0;                       // of the last step
  std::vector<std::string> layer_names_;  // the names of the lines of a report
  std::string lines_;                     // whole lines that are not written yet
  std::string problem_;
};

}  // namespace handrail::train
