#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// Samples that are trained on together: inputs [B, ...] and targets [B, ...], where row i of both is sample i.
struct Batch {
  Tensor inputs;
  Tensor targets;
};

/// The constants that turn raw data into a model's inputs: (x - mean) / stddev. Of bytes, x is byte / 255.
struct Normalization {
  double mean = 0;
  double stddev = 1;
};

/// Samples that are numbered from 0. A data set of your own overrides the first four functions; the others have
/// defaults. Several threads may call const functions at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// The number of samples.
  virtual Index size() const = 0;
  /// The shape of one sample's input.
  virtual Shape input_shape() const = 0;
  /// The shape of one sample's target, which is [] for a class index.
  virtual Shape target_shape() const = 0;
  /// Copies the samples of these numbers, each in [0, size()), into the batch: inputs [rows, input_shape...] and
  /// targets [rows, target_shape...]. It must write every element.
  virtual void gather(std::span<const Index> rows, const Batch& batch) const = 0;

  /// The inputs of all samples as one tensor [N, ...], as nn::Standardize::fit wants them. Inputs of raw data are not
  /// normalised: they are what gather writes.
  Tensor inputs() const;

  /// Whether gather only copies memory. The Trainer reads such a data set as often as its checks ask. Of any other data
  /// set it reads each sample once before the first step, and keeps up to 2^26 numbers of them (256 MB as float) until
  /// then.
  virtual bool in_memory() const { return false; }

  /// The constants that bring the inputs of these samples to mean 0 and standard deviation 1, when the data is stored
  /// raw. The default is nothing: gather writes the inputs as the model should see them.
  virtual std::optional<Normalization> fit_normalization(std::span<const Index> rows) const;
  /// Whether the data is stored raw, so that a model needs the constants it was trained with.
  bool is_raw() const;
  /// Copies samples as gather does, with inputs (x - mean) / stddev when the data is stored raw. The default is gather.
  virtual void gather_normalized(std::span<const Index> rows, const Normalization& constants, const Batch& batch) const;

 protected:
  Dataset() = default;
  Dataset(const Dataset&) = default;
  Dataset& operator=(const Dataset&) = default;
};

struct TensorDatasetOptions {
  bool check_finite = true;  // false: NaN and infinity are left for the guards to find during training
};

/// Samples in memory: sample i is row i of inputs [N, ...] and row i of targets [N, ...].
class TensorDataset : public Dataset {
 public:
  /// Shares the tensors. Throws ShapeError when their first dimensions differ; DataError when there are no rows, and,
  /// naming row and column, when a value is not finite.
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

/// Samples whose inputs are bytes, such as images, in a quarter of the memory of floats, with class indices as targets.
/// The data is stored raw: gather writes byte / 255. The Trainer fits one mean and one standard deviation to the
/// training rows and normalises by them in fit, evaluate and predict.
class ByteDataset : public Dataset {
 public:
  /// inputs: N samples of the shape `sample`, one after the other. labels: N class indices. Throws DataError when there
  /// are no samples, or not as many samples as labels.
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

/// A batch for `count` samples of this data set, inputs [count, ...] and targets [count, ...]. Its elements are still
/// to be written.
Batch empty_batch(const Dataset& dataset, Index count);

/// The first samples of a data set as one batch, at most `count`, as gather writes them.
Batch first_samples(const Dataset& dataset, Index count);

}  // namespace handrail::train
