#include <handrail/train/dataset.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <handrail/core/error.h>
#include <handrail/core/finite.h>
#include <handrail/core/random.h>

namespace handrail::train {
namespace {

void check_finite(const char* what, const Tensor& t) {
  const Index bad = first_non_finite(t.span());
  if (bad < 0) return;
  const Index cols = t.size() / t.shape()[0];
  throw DataError(concat("TensorDataset: want finite ", what, "; got ", t.data()[bad], " in row ", bad / cols,
                         ", column ", bad % cols, "; clean the data, or set check_finite = false"),
                  bad / cols);
}

void copy_rows(const Tensor& from, std::span<const Index> rows, const Tensor& to) {
  const Index width = from.size() / from.shape()[0];
  const Scalar* in = from.data();
  Scalar* out = to.mutable_data();
  for (const Index row : rows) out = std::copy_n(in + row * width, width, out);
}

}  // namespace

Tensor Dataset::inputs() const { return first_samples(*this, size()).inputs; }

std::optional<Normalization> Dataset::fit_normalization(std::span<const Index>) const { return std::nullopt; }

void Dataset::gather_normalized(std::span<const Index> rows, const Normalization&, const Batch& batch) const {
  gather(rows, batch);
}

TensorDataset::TensorDataset(Tensor inputs, Tensor targets, TensorDatasetOptions options)
    : inputs_(std::move(inputs)), targets_(std::move(targets)) {
  const Shape &x = inputs_.shape(), &y = targets_.shape();
  if (x.rank() < 1 || y.rank() < 1 || x[0] != y[0])
    fail<ShapeError>("TensorDataset: want inputs [N, ...] and targets [N, ...]; got ", x, " and ", y);
  if (x[0] == 0) fail<DataError>("TensorDataset: want at least one row; got inputs ", x);
  if (options.check_finite) {
    check_finite("inputs", inputs_);
    check_finite("targets", targets_);
  }
}

void TensorDataset::gather(std::span<const Index> rows, const Batch& batch) const {
  copy_rows(inputs_, rows, batch.inputs);
  copy_rows(targets_, rows, batch.targets);
}

ByteDataset::ByteDataset(const Shape& sample, std::vector<std::uint8_t> inputs, std::vector<std::uint8_t> labels)
    : sample_(sample) {
  const Index count = std::ssize(labels);
  if (count == 0 || sample.size() == 0) fail<DataError>("ByteDataset: want at least one sample; got none");
  if (std::ssize(inputs) % sample.size() != 0 || std::ssize(inputs) / sample.size() != count)
    fail<DataError>("ByteDataset: want as many samples as labels; got ", inputs.size(), " bytes for samples ", sample,
                    " and ", count, " labels");
  data_ = std::make_shared<const Data>(Data{std::move(inputs), std::move(labels)});
}

void ByteDataset::gather(std::span<const Index> rows, const Batch& batch) const { gather_normalized(rows, {}, batch); }

std::optional<Normalization> ByteDataset::fit_normalization(std::span<const Index> rows) const {
  // Whole numbers: exact whatever the order.
  std::uint64_t sum = 0, squares = 0;
  for (const Index row : rows) {
    const std::uint8_t* in = data_->inputs.data() + row * sample_.size();
    for (Index i = 0; i < sample_.size(); ++i) {
      sum += in[i];
      squares += std::uint64_t{in[i]} * in[i];
    }
  }
  const double count = static_cast<double>(rows.size()) * static_cast<double>(sample_.size());
  const double mean = static_cast<double>(sum) / count;
  const double variance = static_cast<double>(squares) / count - mean * mean;
  return Normalization{.mean = mean / 255, .stddev = variance > 0 ? std::sqrt(variance) / 255 : 1};
}

void ByteDataset::gather_normalized(std::span<const Index> rows, const Normalization& constants,
                                    const Batch& batch) const {
  const auto scale = static_cast<Scalar>(1 / (255 * constants.stddev));
  const auto shift = static_cast<Scalar>(-constants.mean / constants.stddev);
  const Index width = sample_.size();
  Scalar* out = batch.inputs.mutable_data();
  Scalar* labels = batch.targets.mutable_data();
  for (const Index row : rows) {
    const std::uint8_t* in = data_->inputs.data() + row * width;
    for (Index i = 0; i < width; ++i) out[i] = static_cast<Scalar>(in[i]) * scale + shift;
    out += width;
    *labels++ = static_cast<Scalar>(data_->labels[static_cast<std::size_t>(row)]);
  }
}

Subset::Subset(std::shared_ptr<const Dataset> dataset, std::vector<Index> rows)
    : dataset_(std::move(dataset)), rows_(std::move(rows)) {
  if (rows_.empty()) fail<DataError>("Subset: want at least one row; got none");
  for (const Index row : rows_)
    if (row < 0 || row >= dataset_->size())
      fail<DataError>("Subset: want rows in [0, ", dataset_->size(), "); got ", row);
}

// Valid until the next call on this thread; a subset of a subset asks with the answer of the first.
std::span<const Index> Subset::original(std::span<const Index> rows) const {
  static thread_local std::vector<Index> mapped;
  if (mapped.data() != rows.data()) mapped.resize(rows.size());
  std::ranges::transform(rows, mapped.begin(), [&](Index row) { return rows_[static_cast<std::size_t>(row)]; });
  return mapped;
}

void Subset::gather(std::span<const Index> rows, const Batch& batch) const { dataset_->gather(original(rows), batch); }

std::optional<Normalization> Subset::fit_normalization(std::span<const Index> rows) const {
  return dataset_->fit_normalization(original(rows));
}

void Subset::gather_normalized(std::span<const Index> rows, const Normalization& constants, const Batch& batch) const {
  dataset_->gather_normalized(original(rows), constants, batch);
}

SplitRows split_rows(Index size, double fraction, std::uint64_t seed) {
  if (!(fraction > 0 && fraction < 1)) fail<OptionError>("split: want a fraction in (0, 1); got ", fraction);
  if (size < 2) fail<DataError>("split: want at least 2 rows; got ", size);
  std::vector<Index> rows(static_cast<std::size_t>(size));
  std::iota(rows.begin(), rows.end(), Index{0});
  Rng rng(StreamKey{.seed = seed, .stream = Stream::split});
  rng.shuffle(std::span(rows));
  const auto count = std::clamp<Index>(std::llround(fraction * static_cast<double>(size)), 1, size - 1);
  SplitRows split{.first = {rows.begin() + count, rows.end()}, .second = {rows.begin(), rows.begin() + count}};
  std::ranges::sort(split.first);
  std::ranges::sort(split.second);
  return split;
}

std::vector<Index> all_rows(const Dataset& dataset) {
  std::vector<Index> rows(static_cast<std::size_t>(dataset.size()));
  std::iota(rows.begin(), rows.end(), Index{0});
  return rows;
}

Batch empty_batch(const Dataset& dataset, Index count) {
  return {Tensor(dataset.input_shape().batch_of(count)), Tensor(dataset.target_shape().batch_of(count))};
}

Batch first_samples(const Dataset& dataset, Index count) {
  count = std::clamp<Index>(count, 0, dataset.size());
  std::vector<Index> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), Index{0});
  Batch batch = empty_batch(dataset, count);
  dataset.gather(rows, batch);
  return batch;
}

}  // namespace handrail::train
