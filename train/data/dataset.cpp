#include <handrail/train/data/dataset.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/core/system/internal/kernels.h>
#include <handrail/core/system/parallel.h>
#include <handrail/train/data/internal/hash.h>

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

// Calls body(i, pointer to row rows[i]) for every i. `data` has rows of `width` elements. Each row is prefetched two
// rows ahead, because the processor cannot predict a shuffled order.
template <class Element, class Body>
void for_rows(std::span<const Index> rows, const Element* data, Index width, Body body) {
  constexpr double ns_per_element = 0.1;
  constexpr Index ahead = 2, line = 64 / Index{sizeof(Element)};
  const Index grain = std::max<Index>(1, elementwise_grain / std::max<Index>(1, width));
  const int threads = threads_for(static_cast<double>(std::ssize(rows) * width) * ns_per_element);
  parallel_ranges(std::ssize(rows), grain, threads, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Element* next = data + rows[static_cast<std::size_t>(std::min(i + ahead, end - 1))] * width;
      for (Index j = 0; j < width; j += line) __builtin_prefetch(next + j);
      body(i, data + rows[static_cast<std::size_t>(i)] * width);
    }
  });
}

void copy_rows(const Tensor& from, std::span<const Index> rows, const Tensor& to) {
  const Index width = from.size() / from.shape()[0];
  Scalar* out = to.mutable_data();
  for_rows(rows, from.data(), width, [=](Index i, const Scalar* row) { std::copy_n(row, width, out + i * width); });
}

}  // namespace

Tensor Dataset::inputs() const { return first_samples(*this, size()).inputs; }

std::optional<Normalization> Dataset::fit_normalization(std::span<const Index>) const { return std::nullopt; }

bool Dataset::is_raw() const {
  const Index first = 0;
  return size() > 0 && fit_normalization({&first, 1}).has_value();
}

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
  // Sums of whole numbers are exact, whatever the order of the rows.
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
  for_rows(rows, data_->inputs.data(), width, [=](Index i, const std::uint8_t* row) {
    kernels_here().from_bytes(row, width, scale, shift, out + i * width);
  });
  for (const Index row : rows) *labels++ = static_cast<Scalar>(data_->labels[static_cast<std::size_t>(row)]);
}

// Of the bytes as they are stored: that takes a quarter of the time.
std::uint64_t ByteDataset::hash(std::span<const Index> rows) const {
  const auto width = static_cast<std::size_t>(sample_.size());
  const auto inputs = std::as_bytes(std::span(data_->inputs)), labels = std::as_bytes(std::span(data_->labels));
  std::uint64_t hash = 0;
  for (const Index row : rows) {
    const auto at = static_cast<std::size_t>(row);
    hash =
        join_hashes(hash, hash_bytes(inputs.subspan(at * width, width)) ^ std::to_integer<std::uint64_t>(labels[at]));
  }
  return hash;
}

std::uint64_t Dataset::hash(std::span<const Index> rows) const {
  const Batch batch = empty_batch(*this, std::ssize(rows));
  gather(rows, batch);
  return join_hashes(hash_values(batch.inputs.span()), hash_values(batch.targets.span()));
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
