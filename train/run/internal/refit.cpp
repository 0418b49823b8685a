#include <handrail/train/run/internal/refit.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/internal/retention.h>
#include <handrail/train/run/fixes/internal/model_snapshot.h>
#include <handrail/train/run/internal/calibrate.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {
namespace {

constexpr const char* dir_name = "refit";  // in the directory of the run

// Tells the sinks of the user how far a second fit is, and its anomalies. What else they get is about the first.
class Progress final : public LogSink {
 public:
  explicit Progress(LogSinks sinks) : sinks_(std::move(sinks)) {}

  void fit_start(const FitStart& event) override { planned_steps_ = event.planned_steps; }
  void step_end(const StepStats& stats) override {
    for (const auto& sink : sinks_)
      sink->activity({.what = "training again, on all rows", .done = stats.step, .total = planned_steps_});
  }
  void anomaly(const Anomaly& event) override {
    for (const auto& sink : sinks_) sink->anomaly(event);
  }

 private:
  LogSinks sinks_;
  Index planned_steps_ = 0;
};

// The program as the first fit has left it, which it gets back at the end of this object unless the second is kept.
class FirstFit {
 public:
  explicit FirstFit(const Program& program) : program_(program), info_(program.info), model_(program.model) {}
  ~FirstFit() {
    if (kept_second_) return;
    program_.info = std::move(info_);
    model_.put_back();
  }
  FirstFit(const FirstFit&) = delete;
  FirstFit& operator=(const FirstFit&) = delete;

  void keep_second() { kept_second_ = true; }

 private:
  const Program& program_;
  ModelInfo info_;
  ModelSnapshot model_;
  bool kept_second_ = false;
};

// "figures.csv" becomes "figures.refit.csv".
std::filesystem::path second_log(const std::filesystem::path& log) {
  std::filesystem::path second = log;
  second.replace_extension(dir_name + log.extension().string());
  return second;
}

// The epochs of the second fit. The best evaluation often comes early by chance, and with a rate that ends at 0 the
// second fit can go on for longer than the first before it overfits: halfway to the end of the first did best.
// docs/early_stopping.md has other rules. Without restore_best the first fit has no best weights to improve on.
Index second_epochs(const TrainerOptions& options, const FitResult& first) {
  const Index last = std::max(first.epochs, first.best->epoch);  // the first may end within an epoch
  return options.restore_best ? (first.best->epoch + last + 1) / 2 : last;
}

TrainerOptions second_options(const TrainerOptions& options, const FitResult& first) {
  TrainerOptions second = options;
  second.epochs = second_epochs(options, first);
  second.lr = first.lr;  // not scaled again
  second.lr_scaling = LrScaling::none;
  second.validation_split = off;
  second.monitor = "val_loss";
  second.mode = MonitorMode::min;
  second.patience = off;
  second.restore_best = false;
  second.repair = off;
  second.refit = false;
  second.calibrate = false;  // it has no validation rows: it gets the temperature of the first
  visit_options(second.checks, [](const OptionInfo&, bool& on) { on = false; });  // the first has made them
  if (second.max_seconds) second.max_seconds = *second.max_seconds - first.seconds;
  if (second.metrics_csv && !second.metrics_csv->empty()) second.metrics_csv = second_log(*second.metrics_csv);
  second.sinks = {std::make_shared<Progress>(options.sinks)};
  return second;
}

// Why no second fit is made; empty when one is.
std::string reason_against(const Program& program, const FitResult& first) {
  const TrainerOptions& options = program.options;
  if (first.reason >= StopReason::max_time) return concat("the first one was ", to_string(first.reason));
  if (options.overfit_batches) return "overfit_batches is on";
  if (options.max_seconds && first.seconds >= *options.max_seconds) return "max_seconds have passed";
  if (!first.best) return "no evaluation was good";
  return {};
}

class SecondFit {
 public:
  SecondFit(const Program& program, Rows all, const FitResult& first)
      : program_(program),
        first_(program),
        start_(*program.last_run->start),
        options_(second_options(program.options, first)),
        all_(std::move(all)),
        dir_(first.run_dir.empty() ? std::filesystem::path() : std::filesystem::path(first.run_dir) / dir_name) {}

  /// Makes the fit, or what is left of it.
  FitResult run(const ResumeOptions* resumed) {
    FitResult result = fit_or_resume(resumed);
    failed_ = last_run_ && last_run_->failed;
    kept_ = result.reason == StopReason::finished && !failed_;
    if (kept_) first_.keep_second();
    return result;
  }
  bool failed() const { return failed_; }
  bool kept() const { return kept_; }
  Index rows() const { return all_.size(); }

 private:
  FitResult fit_or_resume(const ResumeOptions* resumed) {
    if (resumed && options_.checkpoints && std::filesystem::is_directory(dir_) && !list_checkpoints(dir_).empty()) {
      try {
        return begin()->resume(dir_, *resumed);
      } catch (const CheckpointError&) {
        // They are damaged, or of a second fit after other epochs of the first: it begins anew.
      }
    }
    return begin()->fit(dir_);
  }

  // The program before its first step.
  std::unique_ptr<Run> begin() {
    restore(program_.model, start_.parameters, start_.buffers);
    const auto parameters = program_.model.parameters();
    const std::vector<double>& trained = start_.guards.at("trained");
    for (std::size_t p = 0; p < parameters.size(); ++p) parameters[p].tensor.set_requires_grad(trained.at(p) != 0);
    const Program second{.recipe = program_.recipe,
                         .model = program_.model,
                         .layer = program_.layer,
                         .loss = program_.loss,
                         .options = options_,
                         .info = program_.info,
                         .last_run = last_run_,
                         .stop_requested = program_.stop_requested};
    return std::make_unique<Run>(second, RunData{.train = all_, .validation = {}, .validation_source = {}});
  }

  const Program& program_;
  FirstFit first_;
  const TrainingState& start_;
  TrainerOptions options_;
  Rows all_;
  std::filesystem::path dir_;
  std::optional<LastRun>
      last_run_;  // of the second fit: try_fix measures from the first, whose validation rows are new
  bool failed_ = false, kept_ = false;
};

// Adds what the second fit has met to the result of the first.
void add(FitResult& to, const FitResult& second) {
  for (Anomaly anomaly : second.anomalies) {
    anomaly.where = anomaly.where.empty() ? "second fit" : "second fit, " + anomaly.where;
    to.anomalies.push_back(std::move(anomaly));
  }
  for (const auto& [name, count] : second.anomaly_counts) to.anomaly_counts[name] += count;
  if (second.reason >= StopReason::max_time && second.reason != StopReason::guard) to.reason = second.reason;
  if (second.signal != 0) to.signal = second.signal;
  if (!second.checkpoint_problem.empty()) to.checkpoint_problem = second.checkpoint_problem;
}

}  // namespace

void check_refit(const TrainerOptions& options, bool validation_given) {
  if (!options.refit || options.fast_dev_run) return;
  if (validation_given)
    fail<OptionError>(
        "fit: refit trains on the rows that validation_split holds out; got a validation set, which stays one: call "
        "fit(data), or set refit = off");
  if (!options.validation_split)
    fail<OptionError>("fit: refit learns from held-out rows how long to train; got validation_split = off");
}

FitResult refit(const Program& program, const Rows& all, FitResult first, const ResumeOptions* resumed) {
  if (!program.options.refit || program.options.fast_dev_run) return first;
  Refit told{.reason = reason_against(program, first)};
  if (told.reason.empty()) {
    SecondFit second(program, all, first);
    const FitResult result = second.run(resumed);
    told.kept = second.kept();
    if (told.kept && first.calibration && first.calibration->kept)
      divide_last_linear(program.model, first.calibration->temperature);
    if (!told.kept) told.reason = second.failed() ? "training failed" : concat("it was ", to_string(result.reason));
    told.rows = second.rows();
    told.epochs = result.epochs;
    told.steps = result.steps;
    told.train_loss = result.train_loss;
    told.seconds = result.seconds;
    told.checkpoint = result.checkpoint;
    add(first, result);
    if (told.kept) first.best_restored = false;
  }
  for (const auto& sink : program.options.sinks) sink->refit(told);
  first.refit = std::move(told);
  add_to_report(program, first);
  return first;
}

}  // namespace handrail::train
