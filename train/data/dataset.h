#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// Samples that are trained on together: inputs [B, ...] and targets [B, ...].
struct Batch {
  Tensor inputs;
  Tensor targets;
};

/// What turns raw bytes into inputs: (byte / 255 - mean) / stddev.
struct Normalization {
  double mean = 0;
  double stddev = 1;
};

/// Samples by number. A data set of your own overrides the first four functions.
/// Threads: const functions may be called by several at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// The number of samples.
  virtual Index size() const = 0;
  /// The shapes of one sample's input and target; [] for a class index.
  virtual Shape input_shape() const = 0;
  virtual Shape target_shape() const = 0;
  /// Copies those samples into the batch, whose tensors have the right shapes.
  virtual void gather(std::span<const Index> rows, const Batch& batch) const = 0;

  /// The inputs of all samples as one tensor [N, ...], for nn::Standardize::fit and the like. Of raw data they are as
  /// gather gives them, not normalised: a model that was trained on such data predicts from the data set itself.
  Tensor inputs() const;

  /// Whether gather only copies memory. The Trainer reads such a set as often as its checks ask; of any other it
  /// reads each sample once before the first step, and keeps up to 256 MB of them until then.
  virtual bool in_memory() const { return false; }

  /// For data that is stored raw: the constants that bring these samples to mean 0 and standard
  /// deviation 1. Nothing for data that comes as the model should see it.
  virtual std::optional<Normalization> fit_normalization(std::span<const Index> rows) const;
  /// Whether the data is stored raw, so that a model needs the constants it was trained with.
  bool is_raw() const;
  /// What gather writes, with (x - mean) / stddev of those constants.
  virtual void gather_normalized(std::span<const Index> rows, const Normalization& constants, const Batch& batch) const;

 protected:
  Dataset() = default;
  Dataset(const Dataset&) = default;
  Dataset& operator=(const Dataset&) = default;
};

struct TensorDatasetOptions {
  bool check_finite = true;  // off: NaN and infinity are left for the training guards to find
};

/// Samples in memory: row i of inputs [N, ...] belongs to row i of targets [N, ...].
class TensorDataset : public Dataset {
 public:
  /// Shares the tensors. Throws ShapeError when their first dimensions differ; DataError when there
  /// are no rows, or naming row and column of a value that is not finite.
  TensorDataset(Tensor inputs, Tensor targets, TensorDatasetOptions options = {});

  Tensor inputs() const { return inputs_; }
  Tensor targets() const { return targets_; }

  Index size() const override { return inputs_.shape()[0]; }
  Shape input_shape() const override { return inputs_.shape().without_first(); }
  Shape target_shape() const override { return targets_.shape().without_first(); }
  bool in_memory() const override { return true; }
  void gather(std::span<const Index> rows, const Batch& batch) const override;

 private:
  Tensor inputs_;
  Tensor targets_;
};

/// Images or the like kept as bytes, a quarter of a float tensor's memory with its labels as classes.
/// They become floats on the way into a batch: the Trainer fits one mean and standard deviation on the
/// training split and uses them in fit, evaluate and predict; without a Trainer it is byte / 255.
class ByteDataset : public Dataset {
 public:
  /// inputs: N samples of `sample` one after the other; labels: N. Throws DataError when there are no
  /// samples or the counts differ.
  ByteDataset(const Shape& sample, std::vector<std::uint8_t> inputs, std::vector<std::uint8_t> labels);

  Index size() const override { return std::ssize(data_->labels); }
  Shape input_shape() const override { return sample_; }
  Shape target_shape() const override { return {}; }
  bool in_memory() const override { return true; }
  void gather(std::span<const Index> rows, const Batch& batch) const override;
  std::optional<Normalization> fit_normalization(std::span<const Index> rows) const override;
  void gather_normalized(std::span<const Index> rows, const Normalization& constants,
                         const Batch& batch) const override;

 private:
  struct Data {
    std::vector<std::uint8_t> inputs, labels;
  };
  Shape sample_;
  std::shared_ptr<const Data> data_;
};

/// The numbers of all samples of a data set: 0, 1, ..., size - 1.
std::vector<Index> all_rows(const Dataset& dataset);

/// A batch of `count` samples whose elements are still to be written.
Batch empty_batch(const Dataset& dataset, Index count);

/// The first samples of a data set as one batch, at most `count`.
Batch first_samples(const Dataset& dataset, Index count);

}  // namespace handrail::train
