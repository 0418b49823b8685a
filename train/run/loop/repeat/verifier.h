#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <handrail/train/report/anomaly.h>
#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/loop/attempt.h>
#include <handrail/train/run/loop/position.h>

namespace handrail::train {

/// Computes some steps twice, and compares all bits of loss, gradients and buffers: see TrainerOptions::verify_steps.
/// The second computation has other kernels that give the same bits. Where there are none it has one thread fewer, and
/// on one thread it is a repetition.
class Verifier {
 public:
  Verifier(const Setup& setup, const Position& at, BufferCopy& buffers) : setup_(setup), at_(at), buffers_(buffers) {}

  /// Whether the step that begins is verified. A share of the steps is, chosen by seed and position, so that a run that
  /// is resumed verifies the same ones; and the first step of each session, which takes the memory for the others.
  bool due();
  /// Reads batch i of the step, and keeps it: a data set may make its samples anew at each reading.
  Batch read(Index i);
  /// Called after the passes of the step. Makes them again, from the same weights, buffers, batches and random numbers,
  /// and returns nothing when all bits are the same. Otherwise it makes them four times more to find the cause. Loss,
  /// metrics, gradients and buffers are then those of the last time, with the kernels of the run.
  std::optional<Anomaly> check(const MicroBatches& batches, StepStats& stats, std::vector<MetricValue>& metrics);

 private:
  enum class Way { own, other };
  struct Value {
    std::string name;
    Tensor source;
    bool is_gradient;
    Tensor kept;           // as the first computation left it
    bool is_kept = false;  // false for a parameter without a gradient

    Tensor now() const { return is_gradient ? source.grad() : source; }  // undefined when there is no gradient
  };
  struct Difference {
    std::string where = {};  // the first tensor that differs
    Index count = 0, size = 0, tensors = 0;
    double largest = 0;  // in the first tensor
  };

  void take_memory();
  void keep(double loss);
  double compute(Way way, const MicroBatches& batches, std::vector<MetricValue>& metrics);
  bool is_same(double loss) const;
  Difference difference(double loss) const;
  std::uint64_t hash_of_now(double loss) const;
  std::string ways() const;
  Anomaly failure(const StepStats& stats, const Difference& difference, bool persists);

  const Setup& setup_;
  const Position& at_;
  BufferCopy& buffers_;
  bool begun_ = false, ended_ = false;
  std::vector<Batch> batches_;
  std::vector<Value> values_;
  double loss_ = 0;  // of the first computation
  std::vector<MetricValue> metrics_;
  Index failures_ = 0;  // of this session: the next one may be on another machine
};

}  // namespace handrail::train
