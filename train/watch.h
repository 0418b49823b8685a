#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>
#include <handrail/train/guards/options.h>
#include <handrail/train/report/anomaly.h>
#include <handrail/train/report/sink.h>

namespace handrail::train {

/// What a Watch knows of the loop, what it looks at, and whom it tells.
struct WatchOptions {
  /// The rows of the training set; 0 when that is not known. A loop that takes few of them is found with it.
  Index rows = 0;
  /// The updates that are planned; 0 when that is not known.
  std::int64_t planned_steps = 0;
  /// Of these, non_finite, spike, divergence, plateau and overwrites are looked at.
  GuardOptions guards = {};
  /// Whether the ops of the first step are looked at, if the watch was made before its tape.
  bool check_model = true;
  /// Whether the scale of the inputs of the first batches is checked.
  bool check_inputs = true;
  /// Whether the parameters and the numbers of the optimizer are checked when the watch is made.
  bool check_settings = true;
  /// Called with each anomaly; empty: nothing is.
  std::function<void(const Anomaly&)> on_anomaly = {};
  /// Get each anomaly; {}: none.
  LogSinks sinks = {};
};

/// Watches a training loop of your own, as the guards of a Trainer watch its runs:
///
///   train::Watch watch{model, optimizer, {.rows = x_train.shape()[0]}};
///   for (...) {
///     optimizer.zero_grad();
///     Tape tape{Mode::train, {.seed = 42, .position = step}};
///     const Tensor loss = cross_entropy(model(x), y);
///     watch.step(loss, x, y);
///     tape.backward(loss);
///     optimizer.step(lr);
///   }
///   if (!watch.anomalies().empty()) puts(watch.diagnosis_text().c_str());
///
/// It changes nothing, prints nothing and does not stop the loop: it keeps what it found. Besides a loss that is not
/// finite, spikes, divergence and plateaus, it reports, each once:
///   gradients_accumulate   updates with a gradient that was added to that of an earlier update: no zero_grad
///   step_before_backward   updates without a new gradient since the last one
///   optimizer_reset        the optimizer was destroyed: another one begins without moments
///   weights_overwritten    something else than the optimizer writes to the weights between steps
///   not_trained            parameters that are frozen or not in the optimizer, or did not move in 30 updates
///   eval_mode              a tape in Mode::eval, while the model has dropout or a batch norm
///   random_position        a tape with the same random position in every step: dropout drops the same units
///   detached               a loss that no tape has recorded
///   loss_constant          exactly the same loss in 21 updates
///   loss_sign              a loss that was negative from the beginning and falls without bound: to 10 times its first
///                          value, or after 100 steps to 3 times, and faster than before
///   too_few_steps          one update in several steps, for at least half of the rows of the training set
///   lr_too_high            a rate of 100 times the default_lr() of the optimizer
///   lr_too_low             200 updates at less than a hundredth of it, without a warmup; or a rate below it that rose
///                          12 times by the same amount, in equal intervals of several updates
///   schedule_ends_early    more than half of the updates, and at least 100, had less than 0.1 % of the highest rate,
///                          or the last of them had one and the same rate below 5 % of it
///   weight_decay_too_high  the decay of a group takes more off the weights than what gradients teach them
///   sum_loss, broadcast_loss, activation_before_loss, linear_after_linear, ...
///                          with inputs and targets: what the ops of the first step show of model and loss, as before
///                          a run of a Trainer
///   input_scale            the root mean square of the inputs of the first batches, zeros not counted, is above 5 or
///                          below 0.04, and the model does not normalise them
///   repeated_rows, sorted_rows, unstable_data    with inputs and targets: see step()
/// gradients_accumulate is reported too when zero_grad leaves out some parameters. The evidence of the first four are
/// counters of writes to gradients and weights, and certain.
///
/// Model and optimizer must outlive the last step(), except that an optimizer that was destroyed is reported. After the
/// constructor and the first step no memory is allocated, except for an anomaly. One thread at a time may use a watch:
/// the thread of the loop.
class Watch {
 public:
  /// Checks the parameters and the numbers of the optimizer. Make it on the thread of the loop before its first tape,
  /// as the ops of the next tape of this thread are looked at.
  explicit Watch(const nn::Module& model, const optim::Optimizer& optimizer, WatchOptions options = {});
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Looks at one step. Call it at one place of the loop, after the loss was computed, best before backward. loss: one
  /// element. Returns what a Trainer would do about this step.
  Action step(const Tensor& loss);
  /// Looks at the rows of the batch too. inputs, targets: [N, ...], as the model and the loss get them.
  Action step(const Tensor& loss, const Tensor& inputs, const Tensor& targets);

  /// What was found, in order of time; at most 100 of a name.
  const std::vector<Anomaly>& anomalies() const;
  /// The anomalies as a diagnosis: see train::diagnosis.
  std::vector<Anomaly> diagnosis() const;
  /// The diagnosis as text, with one line for each anomaly. Empty without anomalies.
  std::string diagnosis_text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace handrail::train
