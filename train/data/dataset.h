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
  Tensor inputs;   // what the model gets
  Tensor targets;  // what the loss gets, besides the predictions
};

/// The constants that normalise raw data. Bytes become inputs as (byte / 255 - mean) / stddev.
struct Normalization {
  double mean = 0;    // finite
  double stddev = 1;  // above 0
};

/// Samples with the numbers 0 to size() - 1. A data set of your own overrides the first four functions.
/// Threads: const functions may be called by several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// The number of samples.
  virtual Index size() const = 0;
  /// The shape of one sample's input.
  virtual Shape input_shape() const = 0;
  /// The shape of one sample's target; [] for a class index.
  virtual Shape target_shape() const = 0;
  /// Writes the samples of these numbers into the batch: inputs [rows.size(), ...] and targets [rows.size(), ...],
  /// which the caller has allocated. Every element must be written. Numbers are in [0, size()).
  virtual void gather(std::span<const Index> rows, const Batch& batch) const = 0;

  /// The inputs of all samples as one tensor [N, ...], for example for nn::Standardize::fit. Raw data comes as gather
  /// writes it, not normalised. To predict with a model trained on raw data, use Trainer::predict(data set).
  Tensor inputs() const;

  /// Whether gather only copies memory. The Trainer's checks read such a set as often as they need. They read each
  /// sample of any other set once at most, but those of the first batches, up to 256, once more, and keep up to 256 MB
  /// of samples (as float) until the first step. A resume compares every row of a set in memory, and 64 rows of any
  /// other.
  virtual bool in_memory() const { return false; }

  /// For raw data: the constants that give the inputs of these samples mean 0 and standard deviation 1. Nothing for
  /// data that the model takes as it is stored, which is the default.
  virtual std::optional<Normalization> fit_normalization(std::span<const Index> rows) const;
  /// Whether the data is raw: a model then needs the constants it was trained with. Reads one sample.
  bool is_raw() const;
  /// Writes samples as gather does, with the inputs normalised by these constants. A data set that is not raw ignores
  /// them, which is the default.
  virtual void gather_normalized(std::span<const Index> rows, const Normalization& constants, const Batch& batch) const;

  /// A hash of the inputs and targets of these samples, in their order, by which a resume recognises the data of the
  /// run. The default gathers them.
  virtual std::uint64_t hash(std::span<const Index> rows) const;

 protected:
  Dataset() = default;
  Dataset(const Dataset&) = default;
  Dataset& operator=(const Dataset&) = default;
};

/// What TensorDataset checks.
struct TensorDatasetOptions {
  bool check_finite = true;  // false: NaN and infinity are accepted here and left to the Trainer's checks and guards
};

/// Samples in memory: row i of inputs [N, ...] belongs to row i of targets [N, ...].
class TensorDataset : public Dataset {
 public:
  /// Shares the tensors. Throws ShapeError when their first dimensions differ, DataError when there are no rows, and
  /// DataError naming row and column of a value that is not finite unless check_finite is off.
  TensorDataset(Tensor inputs, Tensor targets, TensorDatasetOptions options = {});

  /// The tensors that it was made with, not copies.
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

/// Images or other inputs stored as bytes, with labels that are class indices. It takes a quarter of the memory of a
/// float tensor. Bytes become floats when a batch is made: gather writes byte / 255. The Trainer normalises them as
/// (byte / 255 - mean) / stddev, with one mean and one standard deviation of the training split, in fit, evaluate and
/// predict.
class ByteDataset : public Dataset {
 public:
  /// sample: the shape of one input. inputs: N samples one after the other, row-major. labels: N.
  /// Throws DataError when there are no samples, or when there are not as many samples as labels.
  ByteDataset(const Shape& sample, std::vector<std::uint8_t> inputs, std::vector<std::uint8_t> labels);

  Index size() const override { return std::ssize(data_->labels); }
  Shape input_shape() const override { return sample_; }
  Shape target_shape() const override { return {}; }
  bool in_memory() const override { return true; }
  void gather(std::span<const Index> rows, const Batch& batch) const override;
  std::optional<Normalization> fit_normalization(std::span<const Index> rows) const override;
  void gather_normalized(std::span<const Index> rows, const Normalization& constants,
                         const Batch& batch) const override;
  std::uint64_t hash(std::span<const Index> rows) const override;

 private:
  struct Data {
    std::vector<std::uint8_t> inputs, labels;
  };
  Shape sample_;
  std::shared_ptr<const Data> data_;
};

/// The numbers of all samples of a data set: 0, 1, ..., size() - 1.
std::vector<Index> all_rows(const Dataset& dataset);

/// A batch for `count` samples of the data set, whose elements are not initialised.
Batch empty_batch(const Dataset& dataset, Index count);

/// The first samples of a data set as one batch, at most `count`, as gather writes them.
Batch first_samples(const Dataset& dataset, Index count);

}  // namespace handrail::train
