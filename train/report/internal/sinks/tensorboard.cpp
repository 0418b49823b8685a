#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/log_file.h>
#include <handrail/train/report/internal/sinks/event_file.h>
#include <handrail/train/report/internal/sinks/figures.h>
#include <handrail/train/report/sinks.h>

namespace handrail::train {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The name of this machine as a part of a file name.
std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  std::string text = printable(name.data(), LineEnds::escape);
  for (char& c : text)
    if (c == '/' || c == '\\') c = '_';
  return text;
}

class TensorBoard final : public LogSink {
 public:
  explicit TensorBoard(const std::filesystem::path& dir) : dir_(absolute_path(dir)) {}

  // The files have names of their own: only the directory could be something else.
  void check() const override {
    std::error_code none;
    if (const auto status = std::filesystem::status(dir_, none);
        std::filesystem::exists(status) && !std::filesystem::is_directory(status))
      fail<CheckpointError>("tensorboard: want a directory or nothing at '", dir_.string(),
                            "'; got something else; give it another path");
  }
  std::string take_problem() override { return file_ ? file_->take_problem() : std::string(); }

  void fit_start(const FitStart& event) override {
    const bool continues = event.resumed || number_ > 0;
    steps_ = {};
    histogram_epoch_ = 0;
    file_.emplace("tensorboard", new_path());
    file_->open(true);
    write_version();
    if (continues) file_->write(record_of(restart_event(seconds_since_1970(), event.step + 1)));
  }
  void train_start(const TrainStart&) override { steps_.start(); }
  void step_end(const StepStats& stats) override { steps_.add(stats); }
  void layers(const LayerReport& report) override {
    EventSummary summary;
    add(summary, steps_.take(Names::tags));
    for (const LayerStats& layer : report.layers)
      for (const LayerFigure& figure : layer_figures)
        summary.add(concat("layers/", layer.name, '/', figure.name), layer.*figure.value);
    // Sorting all weights into buckets at every logged step would make large files.
    if (histogram_epoch_ != steps_.last().epoch) add_histograms(summary, report);
    histogram_epoch_ = steps_.last().epoch;
    write(report.step, summary);
  }
  void evaluated(const EvaluationStats& stats) override {
    EventSummary summary;
    add(summary, figures_of(stats.evaluation, Names::tags));
    write(stats.step, summary);
  }
  void epoch_end(const EpochStats& stats) override {
    EventSummary summary;
    summary.add("epoch", static_cast<double>(stats.epoch));
    add(summary, figures_of(stats, Names::tags));
    write(stats.step, summary);
  }
  void fit_end(const FitEnd&) override {
    if (file_) file_->close();
  }

 private:
  static void add(EventSummary& summary, const Figures& figures) {
    for (const MetricValue& figure : figures) summary.add(figure.name, figure.value);
  }
  static void add_histograms(EventSummary& summary, const LayerReport& report) {
    for (const Parameter& p : report.parameters) {
      if (const auto weights = histogram_of(p.tensor.span())) summary.add("weights/" + p.name, *weights);
      if (!p.tensor.requires_grad() || !p.tensor.grad().defined()) continue;
      if (const auto gradients = histogram_of(p.tensor.grad().span())) summary.add("gradients/" + p.name, *gradients);
    }
  }

  void write_version() { file_->write(record_of(version_event(seconds_since_1970()))); }
  void write(std::int64_t step, const EventSummary& summary) {
    if (!file_) return;
    if (file_->remake()) write_version();
    file_->write(record_of(summary_event(seconds_since_1970(), step, summary)));
  }

  // TensorBoard reads the files of a directory in the order of their names, so the time comes first. The number tells
  // the fits of a process apart.
  std::filesystem::path new_path() {
    const auto seconds = static_cast<std::int64_t>(seconds_since_1970());
    return dir_ / concat("events.out.tfevents.", seconds, '.', host_name(), '.', ::getpid(), '.', number_++);
  }

  std::filesystem::path dir_;
  std::optional<LogFile> file_;  // of the fit under way
  std::int64_t number_ = 0;      // of fits so far
  StepFigures steps_;
  Index histogram_epoch_ = 0;  // the epoch of the last histograms
};

}  // namespace

std::shared_ptr<LogSink> tensorboard(const std::filesystem::path& dir) { return std::make_shared<TensorBoard>(dir); }

}  // namespace handrail::train
