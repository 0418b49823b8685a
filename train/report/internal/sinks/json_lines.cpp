#include <string>

#include <handrail/train/files/log_file.h>
#include <handrail/train/report/internal/sinks/event_json.h>
#include <handrail/train/report/internal/sinks/figures.h>
#include <handrail/train/report/sinks.h>

namespace handrail::train {
namespace {

class JsonLines final : public LogSink {
 public:
  explicit JsonLines(const std::filesystem::path& path) : file_("json_lines", path) {}

  void check() const override { file_.check(); }
  std::string take_problem() override { return file_.take_problem(); }

  void fit_start(const FitStart& event) override {
    steps_ = {};
    open(has_begun_ || event.resumed);
    write(json_of(event));
    file_.write(early_);
    early_.clear();
  }
  void train_start(const TrainStart& event) override {
    steps_.start();
    write(json_of(event));
  }
  void step_end(const StepStats& stats) override { steps_.add(stats); }
  void layers(const LayerReport& report) override {
    write(json_of(steps_.last(), steps_.take_samples_per_second()));
    write(json_of(report));
  }
  void evaluated(const EvaluationStats& stats) override { write(json_of(stats)); }
  void epoch_end(const EpochStats& stats) override { write(json_of(stats)); }
  // What is found before fit_start is written after it.
  void anomaly(const Anomaly& event) override {
    if (has_begun_)
      write(json_of(event));
    else
      early_ += json_of(event) + '\n';
  }
  void repair(const RepairAttempt& attempt) override { write(json_of(attempt)); }
  void refit(const Refit& refit) override { write(json_of(refit)); }
  void fit_end(const FitEnd& end) override { write(json_of(end)); }
  // The fits of cross_validate and fit_ensemble have no fit_start here: the first of these lines begins the file.
  void part_end(const PartEnd& part) override {
    if (!has_begun_) open(false);
    write(json_of(part));
  }

 private:
  void open(bool keep) {
    if (!file_.is_open()) file_.open(keep);
    has_begun_ = true;
  }
  void write(const std::string& event) {
    file_.remake();
    file_.write(event + '\n');
  }

  LogFile file_;
  bool has_begun_ = false;  // whether this sink has opened its file
  std::string early_;       // lines that come before fit_start
  StepFigures steps_;
};

}  // namespace

std::shared_ptr<LogSink> json_lines(const std::filesystem::path& path) { return std::make_shared<JsonLines>(path); }

}  // namespace handrail::train
