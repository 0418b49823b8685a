#pragma once

#include <cstdint>
#include <limits>

#include <handrail/core/tape.h>
#include <handrail/train/checkpoints/state.h>
#include <handrail/train/math/smoothing.h>
#include <handrail/train/metrics/metrics.h>
#include <handrail/train/run/internal/setup.h>

namespace handrail::train {

/// The position of a run: the progress that a checkpoint holds, and the average of the loss.
struct Position : Progress {
  Ema ema;                                                            // the average of the loss
  std::int64_t evaluated_at = -1;                                     // the step of the last evaluation; -1 before it
  Index evaluated_epoch = 0;                                          // its epoch; 0 before it
  double last_train_loss = std::numeric_limits<double>::quiet_NaN();  // of the last completed epoch
  // Whether weights, counters, guards and metrics.csv may be of different steps. It stays true when an exception comes
  // in between, such as a lack of memory: then this state is not saved.
  bool torn = false;
  bool rehearsal = false;  // whether random numbers are those of a sweep or check, not of the run itself

  /// Reads or writes what Progress does not hold, for checkpoints: see StateVisitor.
  void visit_state(StateVisitor& state) {
    ema.visit_state(state);
    bool evaluated = evaluated_at >= 0;
    state.flag(evaluated);
    if (evaluated) state.count(evaluated_at);
    if (!evaluated) evaluated_at = -1;
    state.count(evaluated_epoch);
  }
  /// Returns the statistics of the step that begins at this position, as far as they are known.
  StepStats begin(const MicroBatches& batches, double lr_of_schedule) const {
    return {.step = step + 1,
            .micro_step = micro_step,
            .epoch = epoch,
            .batch = batches.first + batches.count,
            .samples = batches.samples,
            .loss = 0,
            .ema_loss = ema.value(),
            .grad_norm = 0,
            .lr = lr_of_schedule * lr_factor};
  }
  /// The position of the i-th batch of the present step in the random streams.
  RandomPosition random(std::uint64_t seed, Index i = 0) const {
    if (rehearsal) return rehearsal_random(seed, i);
    return {.seed = seed, .position = static_cast<std::uint64_t>(micro_step + i)};
  }
  /// The same position in the streams that sweeps and checks use, so that they take no random numbers from the run.
  RandomPosition rehearsal_random(std::uint64_t seed, Index i = 0) const {
    constexpr std::uint64_t rehearsals = std::uint64_t{1} << 62;
    return {.seed = seed, .position = static_cast<std::uint64_t>(micro_step + i) + rehearsals};
  }
  /// Counts a step whose update was made. metrics: means over its samples.
  void accept(StepStats& stats, const std::vector<MetricValue>& metrics) {
    ++step;
    ema.add(stats.loss);
    stats.ema_loss = ema.value();
    const auto samples = static_cast<double>(stats.samples);
    epoch_loss += stats.loss * samples;
    epoch_samples += stats.samples;
    add_metrics(epoch_metrics, metrics, samples);
  }
  /// Moves past the batches of a step, whether its update was made or not.
  void advance(const MicroBatches& batches, bool updated) {
    if (!updated) ++skipped;
    batch += batches.count;
    micro_step += batches.count;
  }
  /// The mean loss over the samples of the epoch so far.
  double train_loss() const { return epoch_loss / static_cast<double>(epoch_samples); }
  /// The means of StepOutput::metrics over the same samples.
  std::vector<MetricValue> train_metrics() const {
    std::vector<MetricValue> metrics = epoch_metrics;
    for (MetricValue& metric : metrics) metric.value /= static_cast<double>(epoch_samples);
    return metrics;
  }
  void start_next_epoch() {
    last_train_loss = train_loss();
    ++epoch;
    batch = epoch_samples = 0;
    epoch_loss = 0;
    epoch_metrics.clear();
  }
};

}  // namespace handrail::train
