#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <handrail/core/first_non_finite.h>
#include <handrail/train/checkpoints/state.h>
#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/guards/early_stopping.h>
#include <handrail/train/guards/guard.h>
#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/math/smoothing.h>
#include <handrail/train/trainer.h>

namespace handrail::train {

class CheckpointStore;
class LayerGuard;
class MetricsLog;
class NonFiniteGuard;
class Preview;

/// The rows that a run works on.
struct RunData {
  Rows train;
  std::optional<Rows> validation;
  std::string validation_source;
  bool stratify = false;  // the split is still to be made by class: see Run::read_data
  // What the checks look at: the sets themselves when they are in memory, else what was read of them.
  std::shared_ptr<const Preview> train_preview = {}, validation_preview = {};
};

/// One call of fit. Visible in train_step and end_epoch:
///
///   at first:   summary -> read data -> checks -> LR finder -> first checkpoint
///   per step:   zero_grad -> tape -> training_step -> GUARD loss -> backward -> norms per layer
///               -> GUARD gradients -> clip -> update, refused when not finite -> GUARD accepted
///   per epoch:  evaluate -> early stopping -> GUARD epoch -> hooks -> last good state -> checkpoint
class Trainer::Run {
 public:
  Run(Trainer& trainer, RunData data);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Checks, picks the rate, trains, and leaves the model with the best weights.
  FitResult fit();
  /// Goes on from the newest checkpoint of that directory.
  FitResult resume(const std::filesystem::path& run_dir, const ResumeOptions& options);
  /// The sweep alone; the model is as before.
  LrFinderResult find_lr(const std::optional<LrFinderOptions>& options);

  // For the arms of try_fix, which report nothing.
  void begin_arm(const TrainingState& from, std::int64_t steps);
  bool run_arm(std::int64_t steps);
  std::optional<Evaluation> evaluate_validation();
  Evaluation evaluate_training(Index most_rows);
  TrainingState capture() const;
  const Decisions& decisions() const { return decisions_; }
  const RunData& data() const { return data_; }

 private:
  class Rehearsal;
  class Files;
  /// Thrown by poll, where nothing but a return to the run's end is left to do.
  struct Interrupted {};
  struct Ruling {
    Action action = Action::proceed;
    double lr_factor = 1;
    void add(const Ruling& other) {
      lr_factor = std::min(lr_factor, other.lr_factor);
      action = std::max(action, other.action);
    }
  };

  // run.cpp
  void make_optimizer();
  double given_lr() const;
  void set_lr(double lr);
  void take_up(const std::filesystem::path& run_dir, const ResumeOptions& options);
  FitResult train(const std::function<void()>& begin);
  void run_epochs();
  bool evaluation_due() const;
  void check_floating_point();
  void look_at_clock();
  void look_for_stop();
  void announce_stop();
  void poll(const char* what, Index done, Index total);
  void poll();
  static double now();           // in seconds
  Index batches() const;         // to an epoch
  Index steps_to_epoch() const;  // optimizer steps, when none is skipped
  bool goes_on() const { return result_.reason == StopReason::finished; }
  void start_event();
  void train_start_event();
  std::string lr_source() const;
  std::string resumed_text() const;
  std::string own_schedule() const;
  const LogSinks& sinks() const { return sinks_; }

  // run_step.cpp
  void add_guards();
  bool train_step();
  bool backward(Index first, Index count, StepStats& stats, const std::function<bool(double)>& loss_is_fine);
  std::uint64_t position(Index i) const;
  StepOutput training_output(const Batch& batch, Index number);
  void judge(std::optional<Finding> (Guard::*check)(const StepStats&), const StepStats& stats, Ruling& ruling);
  void update(StepStats& stats, Ruling& ruling);
  void accept(StepStats& stats, Ruling& ruling);
  void reject();
  void act(const Ruling& ruling);
  void roll_back();
  Ruling report(Finding finding, const StepStats* stats = nullptr);
  void warn(Anomaly anomaly);
  bool is_frozen(const std::string& place) const;
  void measure_layers(const StepStats& stats, Ruling& ruling);
  void save_buffers();
  void restore_buffers();

  // run_explain.cpp
  void explain(Anomaly& anomaly, const StepStats& stats);
  std::optional<FirstNonFinite::Origin> replay(Index first, Index count);
  std::string name_of(const std::vector<Tensor>& leaves) const;

  // run_start.cpp
  void prepare();
  void read_data();
  std::shared_ptr<const Preview> preview(const Dataset& data, const char* what, bool all_targets);
  Rows rows_to_train() const;
  void make_loaders();
  void pick_lr();
  PlannedRun planned_run() const;
  LrFinderResult sweep();
  LrFinderResult sweep(const LrFinderOptions& options);
  bool finite_batches(Index first, Index count) const;

  // run_checks.cpp
  void check_monitor();
  void check_data();
  std::optional<Index> classes();
  void check_model();
  std::vector<Anomaly> check_first_batch();
  void check_overfit_batch();
  void measure_start();

  // run_end.cpp
  void end_epoch(double start);
  void keep_progress();
  bool evaluate();
  bool measure_validation();
  double monitored(const Evaluation& evaluation) const;
  std::vector<MetricValue> epoch_metrics() const;
  void save_last_state();
  void leave_weights();
  void diagnose();
  void complete_result();

  // run_state.cpp
  void keep_weights(NamedTensors& parameters, NamedTensors& buffers) const;
  void put_back_weights(const NamedTensors& parameters, const NamedTensors& buffers) const;
  void restore_weights(const TrainingState& state);
  void check_settings(const std::map<std::string, std::string>& begun, const ResumeOptions& options) const;
  void restore(const TrainingState& state);
  void keep_good_state();
  double loss_of(Index number);
  bool is_healthy();
  bool checkpoint_due() const;
  void save_checkpoint(const TrainingState& state);
  void save_first_state();
  void note_attempt();
  std::string run_name() const;
  void open_store(const std::filesystem::path& run_dir, std::optional<std::int64_t> resumed_from);
  void open_log(std::uint64_t length);
  void discard_directory();
  void sync_log();
  std::map<std::string, std::string> settings() const;

  Trainer& trainer_;
  const TrainerOptions& options_;
  RunData data_;
  Decisions decisions_;
  std::optional<Loader> loader_, validation_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  optim::Schedule schedule_;
  std::vector<Parameter> parameters_;
  std::vector<Buffer> buffers_;
  std::vector<Tensor> saved_buffers_;   // as before the step
  std::vector<Tensor> weights_before_;  // likewise, of a step whose layers are measured
  std::vector<std::size_t> layer_of_parameter_;
  std::vector<MetricValue> step_metrics_;
  LayerReport layer_report_;
  std::vector<optim::LayerMeasure> measures_;
  std::vector<double> moved_;

  LogSinks sinks_;  // the user's, and the log of the run
  std::vector<std::unique_ptr<Guard>> guards_;
  NonFiniteGuard* non_finite_ = nullptr;
  LayerGuard* layer_guard_ = nullptr;
  Ema ema_;
  EarlyStopping early_stopping_;
  Progress progress_;
  std::int64_t evaluated_at_ = -1;  // the step
  std::optional<Evaluation> last_evaluation_;
  std::optional<Best> best_;
  NamedTensors best_parameters_, best_buffers_;
  TrainingState last_good_;
  Index explained_ = 0;

  std::map<std::string, std::string> settings_;
  double healthy_below_ = std::numeric_limits<double>::infinity();  // the loss
  std::int64_t probed_at_ = -1;                                     // the micro_step
  bool was_healthy_ = true;                                         // then
  bool diverged_ = false;                                           // at the end
  std::unique_ptr<Files> files_;                                    // what the store writes with
  std::unique_ptr<CheckpointStore> store_;
  std::shared_ptr<MetricsLog> log_;
  std::int64_t tried_step_ = 0;  // to save; so of time and epoch
  Index tried_epoch_ = 0;
  double tried_time_ = 0;
  // Batches, epochs and evaluations can each be what a state is further than the newest checkpoint.
  using Position = std::tuple<std::int64_t, Index, std::int64_t>;
  static Position position_of(const TrainingState& state);
  Position saved_position_{};  // of the newest checkpoint there is
  bool improved_ = false;      // since then

  double start_, clock_ = 0;
  Index steps_to_clock_ = 1, clock_interval_ = 1;
  bool in_step_ = false;
  bool stopped_by_guard_ = false;
  bool rehearsal_ = false;
  bool quiet_ = false;  // an arm of try_fix
  bool resumed_ = false;
  bool polls_ = false;      // signals and stop() are looked at
  bool announced_ = false;  // the sinks know of the run
  bool stop_announced_ = false;
  bool begun_ = false;              // the first step is due, or was made
  std::filesystem::path made_dir_;  // by this run
  bool ended_ = false;              // nothing can be done about anomalies any more
  std::vector<SummaryItem> found_;  // by the checks, for train_start
  FitResult result_;
};

}  // namespace handrail::train
