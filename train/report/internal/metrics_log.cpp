#include <handrail/train/report/internal/metrics_log.h>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/log_file.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/internal/sinks/figures.h>

namespace handrail::train {
namespace {

constexpr std::string_view header = "step,epoch,name,value\n";
constexpr std::size_t max_buffered_bytes = 1 << 16;

std::string cell(const char* prefix, const std::string& name) { return csv_cell(prefix + name); }

}  // namespace

void MetricsLog::check_path(const std::filesystem::path& path, FileSystem& files) {
  check_log_path(files, path, "MetricsLog", "set metrics_csv to another path");
}

MetricsLog::MetricsLog(const std::filesystem::path& path, std::int64_t every_n_steps, std::uint64_t length,
                       FileSystem& files)
    : path_(path), every_n_steps_(every_n_steps), files_(files) {
  check_path(path, files);
  file_ = open_to_append(files_, path_);
  const int file = file_->get();
  struct stat status {};
  if (file < 0 || files_.status(file, status) != 0)
    fail<CheckpointError>("MetricsLog: cannot make '", path_.string(), "': ", errno_text());
  const auto there = static_cast<std::uint64_t>(status.st_size);
  if (there < length)
    problem_ = concat("'", path_.string(), "' has ", there, " bytes; when the checkpoint was written it had ", length,
                      ": lines are missing");
  written_ = std::min(there, length);
  if (there > written_ && files_.truncate(file, static_cast<off_t>(written_)) != 0)
    fail<CheckpointError>("MetricsLog: cannot cut '", path_.string(), "' to ", written_, " bytes: ", errno_text());
  if (written_ == 0) lines_ = header;
}

MetricsLog::~MetricsLog() { write_lines(); }

void MetricsLog::line(std::int64_t step, Index epoch, std::string_view name, double value) {
  const std::size_t before = lines_.size();
  try {
    append_exact(lines_, step);
    lines_ += ',';
    append_exact(lines_, epoch);
    lines_ += ',';
    lines_ += name;
    lines_ += ',';
    append_exact(lines_, value);
    lines_ += '\n';
  } catch (const std::bad_alloc&) {
    lines_.resize(before);  // whole lines only
    throw;
  }
}

void MetricsLog::step_end(const StepStats& stats) {
  epoch_ = stats.epoch;
  if (!stats.updated || stats.step % every_n_steps_ != 0) return;
  line(stats.step, stats.epoch, "train_loss", stats.loss);
  line(stats.step, stats.epoch, "lr", stats.lr);
  line(stats.step, stats.epoch, "grad_norm", stats.grad_norm);
  if (lines_.size() >= max_buffered_bytes) write();
}

// The figures of a layer are lines of the same file, and not columns of another one, because a plot needs them beside
// the losses of the same steps.
void MetricsLog::layers(const LayerReport& report) {
  // Made once: a training step makes no heap call.
  if (layer_names_.size() != std::size(layer_figures) * report.layers.size()) {
    layer_names_.clear();
    for (const LayerStats& layer : report.layers)
      for (const LayerFigure& figure : layer_figures) layer_names_.push_back(cell(figure.name, '/' + layer.name));
  }
  auto name = layer_names_.begin();
  for (const LayerStats& layer : report.layers)
    for (const LayerFigure& figure : layer_figures) line(report.step, epoch_, *name++, layer.*figure.value);
  if (lines_.size() >= max_buffered_bytes) write();
}

void MetricsLog::evaluated(const EvaluationStats& stats) {
  const Evaluation& e = stats.evaluation;
  line(stats.step, stats.epoch, "val_loss", e.loss);
  if (e.measured_accuracy) line(stats.step, stats.epoch, "val_accuracy", *e.measured_accuracy);
  for (const MetricValue& metric : e.metrics) line(stats.step, stats.epoch, cell("val_", metric.name), metric.value);
  write();
}

void MetricsLog::epoch_end(const EpochStats& stats) {
  line(stats.step, stats.epoch, "train_loss_epoch", stats.train_loss);
  for (const MetricValue& metric : stats.metrics)
    line(stats.step, stats.epoch, cell("train_", metric.name), metric.value);
  write();
}

void MetricsLog::sync() {
  reopen();
  write();
  if (files_.sync(file_->get()) != 0) lose("sync");
}

// Makes the file again when it was deleted in the meantime.
void MetricsLog::reopen() {
  if (is_log_there(files_, path_) || errno != ENOENT) return;
  auto file = open_to_append(files_, path_);
  if (file->get() < 0) return;  // the next write fails and reports the problem
  file_ = std::move(file);
  problem_ = concat("'", path_.string(), "' was deleted: its lines so far are missing");
  written_ = 0;
  lines_.insert(0, header);
}

void MetricsLog::write() {
  if (const int error = write_lines(); error != 0) {
    errno = error;
    lose("write");
  }
}

// Returns the errno of a write that failed, else 0. Takes no memory, so that the destructor can call it.
int MetricsLog::write_lines() {
  const std::size_t count = write_all(files_, file_->get(), lines_);
  const int error = count == lines_.size() ? 0 : errno;
  if (error == 0)
    written_ += count;
  else if (count > 0)
    files_.truncate(file_->get(), static_cast<off_t>(written_));  // whole lines only
  lines_.clear();
  return error;
}

void MetricsLog::lose(const char* call) {
  problem_ = concat("cannot ", call, " '", path_.string(), "': ", errno_text(), "; lines are missing");
}

std::string MetricsLog::take_problem() { return std::exchange(problem_, {}); }

}  // namespace handrail::train
