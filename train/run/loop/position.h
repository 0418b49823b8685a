#pragma once

#include <cstdint>

#include <handrail/core/tape.h>
#include <handrail/train/checkpoints/state.h>
#include <handrail/train/math/smoothing.h>
#include <handrail/train/metrics/metrics.h>
#include <handrail/train/run/internal/setup.h>

namespace handrail::train {

/// Where a run is: the progress that a checkpoint holds, and what is averaged on the way.
struct Position : Progress {
  Ema ema;                         // of the loss
  std::int64_t evaluated_at = -1;  // the step of the last evaluation
  bool rehearsal = false;          // sweeps and checks draw other random numbers than the run itself

  /// The statistics of a step that begins here.
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
  /// Where the i-th batch of a step stands in the random streams.
  RandomPosition random(std::uint64_t seed, Index i = 0) const {
    if (rehearsal) return rehearsal_random(seed, i);
    return {.seed = seed, .position = static_cast<std::uint64_t>(micro_step + i)};
  }
  RandomPosition rehearsal_random(std::uint64_t seed, Index i = 0) const {
    constexpr std::uint64_t rehearsals = std::uint64_t{1} << 62;
    return {.seed = seed, .position = static_cast<std::uint64_t>(micro_step + i) + rehearsals};
  }
  /// The update of the step was made.
  void accept(StepStats& stats, const std::vector<MetricValue>& metrics) {
    ++step;
    ema.add(stats.loss);
    stats.ema_loss = ema.value();
    const auto samples = static_cast<double>(stats.samples);
    epoch_loss += stats.loss * samples;
    epoch_samples += stats.samples;
    add_metrics(epoch_metrics, metrics, samples);
  }
  /// The batches of the step are behind us, whatever came of them.
  void advance(const MicroBatches& batches, bool updated) {
    if (!updated) ++skipped;
    batch += batches.count;
    micro_step += batches.count;
  }
  /// Means over the samples of the epoch so far: train_loss, and StepOutput::metrics.
  double train_loss() const { return epoch_loss / static_cast<double>(epoch_samples); }
  std::vector<MetricValue> train_metrics() const {
    std::vector<MetricValue> metrics = epoch_metrics;
    for (MetricValue& metric : metrics) metric.value /= static_cast<double>(epoch_samples);
    return metrics;
  }
  void start_next_epoch() {
    ++epoch;
    batch = epoch_samples = 0;
    epoch_loss = 0;
    epoch_metrics.clear();
  }
};

}  // namespace handrail::train
