#include <handrail/train/data/dataset.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include <handrail/core/error.h>
#include <handrail/core/kernels/kernels.h>
#include <handrail/core/random.h>
#include <handrail/core/system/finite.h>
#include <handrail/core/system/parallel.h>

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

// Calls body(i, row i of the batch) for rows of `width` elements at `data`. A row lies anywhere, where no hardware
// expects it: its memory is asked for two rows ahead.
template <class Element, class Body>
void for_rows(std::span<const Index> rows, const Element* data, Index width, Body body) {
  constexpr Index ahead = 2, line = 64 / Index{sizeof(Element)};
  const Index grain = std::max<Index>(1, elementwise_grain / std::max<Index>(1, width));
  parallel_ranges(std::ssize(rows), grain, [&](Index begin, Index end) {
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
  for_rows(rows, data_->inputs.data(), width, [=](Index i, const std::uint8_t* row) {
    kernels_here().from_bytes(row, width, scale, shift, out + i * width);
  });
  for (const Index row : rows) *labels++ = static_cast<Scalar>(data_->labels[static_cast<std::size_t>(row)]);
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

namespace {

Index second_part(Index size, double fraction) {
  if (!(fraction > 0 && fraction < 1)) fail<OptionError>("split: want a fraction in (0, 1); got ", fraction);
  if (size < 2) fail<DataError>("split: want at least 2 rows; got ", size);
  return std::clamp<Index>(std::llround(fraction * static_cast<double>(size)), 1, size - 1);
}

std::vector<Index> shuffled_rows(Index size, std::uint64_t seed) {
  std::vector<Index> rows(static_cast<std::size_t>(size));
  std::iota(rows.begin(), rows.end(), Index{0});
  Rng rng(StreamKey{.seed = seed, .stream = Stream::split});
  rng.shuffle(std::span(rows));
  return rows;
}

bool is_whole(Scalar target) { return is_finite(target) && target == std::floor(target); }

// The targets of all rows; empty when they are not classes.
std::vector<Scalar> read_classes(const Dataset& dataset) {
  constexpr Index chunk = 256;
  if (dataset.target_shape().size() != 1) return {};
  std::vector<Scalar> targets;
  std::vector<Index> rows;
  for (Index begin = 0; begin < dataset.size(); begin += chunk) {
    rows.resize(static_cast<std::size_t>(std::min(chunk, dataset.size() - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    const Batch batch = empty_batch(dataset, std::ssize(rows));
    dataset.gather(rows, batch);
    const auto read = batch.targets.span();
    if (!std::ranges::all_of(read, is_whole)) return {};
    targets.insert(targets.end(), read.begin(), read.end());
  }
  return targets;
}

// The class of each row, numbered from 0 in ascending order; empty when the targets are not classes.
std::vector<std::size_t> number_classes(std::span<const Scalar> targets) {
  constexpr std::size_t most_classes = 1000;
  std::map<Scalar, std::size_t> numbers;
  for (const Scalar target : targets) {
    if (!is_whole(target)) return {};
    numbers.emplace(target, 0);
    if (numbers.size() > most_classes) return {};
  }
  if (2 * numbers.size() > targets.size()) return {};
  std::size_t next = 0;
  for (auto& [target, number] : numbers) number = next++;
  std::vector<std::size_t> classes;
  classes.reserve(targets.size());
  for (const Scalar target : targets) classes.push_back(numbers.at(target));
  return classes;
}

// How many rows of each class go into the second part, `total` together: the method of largest
// remainders. A class that would be used up comes last.
std::vector<Index> apportion(const std::vector<Index>& sizes, double fraction, Index total) {
  struct Claim {
    bool used_up;
    double missing;  // to the next whole row
    std::size_t number;
  };
  std::vector<Index> shares;
  std::vector<Claim> claims;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    const double exact = fraction * static_cast<double>(sizes[c]);
    shares.push_back(static_cast<Index>(exact));
    claims.push_back({shares[c] + 1 >= sizes[c], 1 - (exact - std::floor(exact)), c});
    total -= shares[c];
  }
  std::ranges::sort(claims, {}, [](const Claim& c) { return std::tuple(c.used_up, c.missing, c.number); });
  for (std::size_t k = 0; total > 0; ++k, --total) ++shares[claims[k].number];
  return shares;
}

}  // namespace

SplitRows split_rows(Index size, double fraction, std::uint64_t seed) {
  const Index count = second_part(size, fraction);
  const std::vector<Index> rows = shuffled_rows(size, seed);
  SplitRows split{.first = {rows.begin() + count, rows.end()}, .second = {rows.begin(), rows.begin() + count}};
  std::ranges::sort(split.first);
  std::ranges::sort(split.second);
  return split;
}

SplitRows stratified_split_rows(const Dataset& dataset, double fraction, std::uint64_t seed) {
  second_part(dataset.size(), fraction);  // throws before anything is read
  const std::vector<Scalar> targets = read_classes(dataset);
  return targets.empty() ? split_rows(dataset.size(), fraction, seed) : stratified_split_rows(targets, fraction, seed);
}

SplitRows stratified_split_rows(std::span<const Scalar> targets, double fraction, std::uint64_t seed) {
  const Index size = std::ssize(targets), count = second_part(size, fraction);
  const std::vector<std::size_t> classes = number_classes(targets);
  if (classes.empty()) return split_rows(size, fraction, seed);
  std::vector<Index> sizes(1 + std::ranges::max(classes));
  for (const std::size_t c : classes) ++sizes[c];
  std::vector<Index> wanted = apportion(sizes, fraction, count);
  SplitRows split;
  for (const Index row : shuffled_rows(size, seed)) {
    Index& left = wanted[classes[static_cast<std::size_t>(row)]];
    (left > 0 ? split.second : split.first).push_back(row);
    --left;
  }
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
