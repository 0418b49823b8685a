#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/tape.h>
#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>
#include <handrail/optim/schedule.h>
#include <handrail/train/guard.h>
#include <handrail/train/loader.h>
#include <handrail/train/loss.h>
#include <handrail/train/options.h>

namespace handrail::train {

/// What a training or validation step returns.
struct StepOutput {
  Tensor loss;              // one element
  Tensor predictions = {};  // for accuracy; may be undefined
};

/// Trains a model, safely by default:
///
///   train::Trainer trainer{model, cross_entropy, {.epochs = 10}};
///   const auto result = trainer.fit(train_set);
///   const auto test = trainer.evaluate(test_set);
///
/// A subclass overrides the virtual functions: training_step for losses and models of another kind,
/// configure_* for another optimizer or schedule, the on_* hooks to look on. What lies between the
/// loss and the update is sealed, so that no override can lose a protection.
///
/// The model must outlive the trainer. One thread at a time may use a trainer.
class Trainer {
 public:
  /// Throws OptionError listing everything that is wrong with the options.
  Trainer(nn::Layer& model, Loss loss, TrainerOptions options);
  /// For a subclass that overrides training_step; a model that is no Layer is welcome. The task says
  /// how its predictions are counted for accuracy.
  Trainer(nn::Module& model, TrainerOptions options, Task task = Task::regression);
  virtual ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains on the set; validation samples are split off as the options say.
  FitResult fit(const Dataset& train);
  FitResult fit(const Dataset& train, const Dataset& validation);

  /// The mean loss and accuracy in evaluation mode.
  Evaluation evaluate(const Dataset& data);
  /// The model's outputs for all samples [N, ...], in evaluation mode.
  Tensor predict(const Dataset& data);
  /// The same for inputs as the model takes them, [N, ...]: raw data must be normalised already.
  Tensor predict(const Tensor& inputs);

  const TrainerOptions& options() const { return options_; }
  /// The constants raw data is normalised with: given, or fitted by fit.
  const std::optional<Normalization>& normalization() const { return normalization_; }

 protected:
  /// The loss of one batch, on an active tape. Default: loss(model(inputs), targets).
  virtual StepOutput training_step(const Batch& batch);
  /// The same without a tape. Default: training_step.
  virtual StepOutput validation_step(const Batch& batch);
  /// The outputs for inputs. Default: model(inputs).
  virtual Tensor predict_step(const Tensor& inputs);
  /// Default: AdamW with weight decay on weights only.
  virtual std::unique_ptr<optim::Optimizer> configure_optimizer();
  /// The rate over the planned steps, peaking at `lr`. Default: warmup, then as options.decay says.
  virtual optim::Schedule configure_schedule(double lr, std::int64_t planned_steps);

  // Hooks; the defaults do nothing.
  virtual void on_fit_start() {}
  virtual void on_epoch_start(Index /*epoch*/) {}
  virtual void on_step_end(const StepStats&) {}
  virtual void on_epoch_end(const EpochStats&) {}
  virtual void on_anomaly(const Anomaly&) {}
  virtual void on_fit_end(const FitResult&) {}  // also when fit throws

  /// For hooks: ends training after this step, with reason `requested`.
  void stop() { stop_requested_ = true; }
  nn::Module& model() { return model_; }

 private:
  struct Run;
  FitResult fit(const Dataset& train, std::vector<Index> rows, const Dataset* validation,
                std::vector<Index> validation_rows, const std::string& validation_source);
  void run_epochs(Run& run);
  bool train_batch(Run& run, Index epoch, Index batch_number);
  void report_unregistered(Run& run, const Tape& tape);
  void report(Run& run, Anomaly anomaly);
  Evaluation evaluate(const Loader& loader);
  Loader eval_loader(const Dataset& data, std::vector<Index> rows) const;

  nn::Module& model_;
  Task task_;
  const nn::Layer* layer_ = nullptr;
  std::optional<Loss> loss_;
  TrainerOptions options_;
  std::optional<Normalization> normalization_;
  bool stop_requested_ = false;
};

}  // namespace handrail::train
