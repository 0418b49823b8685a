#include <handrail/train/guards/internal/row_watch.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr Index max_followed = 8192;  // rows
constexpr Index elements = 16;        // of a row that are hashed

constexpr Index rows_a_step = 8;  // that are looked up

std::uint64_t bits_of(Scalar value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

// A multiplicative hash: quick, and good enough to tell rows apart.
std::uint64_t hash_of(const Scalar* row, Index size) {
  const Index count = std::min(size, elements), stride = count > 0 ? size / count : 0;
  std::uint64_t hash = 0x9e3779b97f4a7c15U;
  for (Index k = 0; k < count; ++k) {
    hash = (hash ^ bits_of(row[k * stride + stride / 2])) * 0xbf58476d1ce4e5b9U;
    hash ^= hash >> 32;
  }
  return hash == 0 ? 1 : hash;
}

}  // namespace

RowWatch::RowWatch(Index rows) : rows_(rows) {
  while (rows / static_cast<Index>(sample_mask_ + 1) > max_followed) sample_mask_ = 2 * sample_mask_ + 1;
  const Index followed = rows == 0 ? max_followed : rows / static_cast<Index>(sample_mask_ + 1) + 64;
  slots_.resize(std::bit_ceil(static_cast<std::size_t>(2 * followed)));
}

std::optional<Anomaly> RowWatch::add(std::int64_t step, const Tensor& inputs, const Tensor& targets) {
  const Index n = inputs.shape().rank() > 0 ? inputs.shape()[0] : 0;
  if (n == 0 || targets.shape().rank() == 0 || targets.shape()[0] != n) return std::nullopt;
  const Index in = inputs.size() / n, out = targets.size() / n;
  const Index looked = std::min(n, rows_a_step);
  // Other places of the batch in each step, in no period that the order of the rows may have too.
  place_ = place_ * 0x5851f42d4c957f2dU + 1;
  const auto first = n > looked ? static_cast<Index>((place_ >> 33) % static_cast<std::uint64_t>(n)) : 0;
  for (Index k = 0; k < looked; ++k) {
    const Index i = first + k < n ? first + k : first + k - n;
    meet(hash_of(inputs.data() + i * in, in), hash_of(targets.data() + i * out, out));
  }
  taken_ += looked;
  add_targets(targets);
  if (auto found = repeated(step)) return found;
  if (auto found = unstable(step)) return found;
  return sorted(step);
}

void RowWatch::meet(std::uint64_t row, std::uint64_t target) {
  if ((row & sample_mask_) != 0) return;
  const std::size_t last = slots_.size() - 1;
  std::size_t at = (row >> 20) & last;
  while (slots_[at].row != 0 && slots_[at].row != row) at = (at + 1) & last;
  Slot& slot = slots_[at];
  if (slot.row == row) {
    ++again_;
    other_ += slot.target != target;
    slot.target = target;
  } else if (2 * distinct_ < slots_.size()) {  // a full table follows no further rows
    slot = {row, target};
    ++distinct_;
  }
}

void RowWatch::add_targets(const Tensor& targets) {
  const Index n = targets.shape()[0], stride = targets.size() / n;
  constexpr Index min_rows = 4;
  if (n < min_rows || stride == 0) return;
  double sum = 0;
  for (Index i = 0; i < n; ++i) {
    const auto value = static_cast<double>(targets.data()[i * stride]);
    sum += value;
    targets_.squares += value * value;
  }
  targets_.sum += sum;
  targets_.values += n;
  const double mean = sum / static_cast<double>(n);
  ++targets_.batches;
  targets_.means += mean;
  targets_.squared_means += mean * mean;
}

std::optional<Anomaly> RowWatch::repeated(std::int64_t step) {
  constexpr double min_share = 0.3;
  if (repeated_ || rows_ == 0 || taken_ < rows_) return std::nullopt;
  const double seen = static_cast<double>(distinct_) * static_cast<double>(sample_mask_ + 1);
  if (seen >= min_share * static_cast<double>(rows_)) return std::nullopt;
  repeated_ = true;
  return Anomaly{
      .name = "repeated_rows",
      .step = step,
      .where = "training rows",
      .evidence = concat(grouped(taken_), " samples were ", short_form(seen, 3), " of ", grouped(rows_), " rows"),
      .cause =
          "the loop takes the same rows again and again: a batch that is made once, an index that is "
          "not advanced, or a seed that is set anew for each batch",
      .remedy = "take the next batch in each step"};
}

std::optional<Anomaly> RowWatch::unstable(std::int64_t step) {
  constexpr std::int64_t min_rows = 200;
  if (unstable_ || again_ < min_rows || 4 * other_ <= again_) return std::nullopt;
  unstable_ = true;
  return Anomaly{.name = "unstable_data",
                 .step = step,
                 .where = "training rows",
                 .evidence = concat(other_, " of ", again_, " inputs that came again had another target"),
                 .cause =
                     "inputs and targets are shuffled apart from each other, or a batch is changed in place: its "
                     "targets reversed, shifted, or taken from another batch",
                 .remedy = "shuffle row numbers, and take both by them"};
}

std::optional<Anomaly> RowWatch::sorted(std::int64_t step) {
  constexpr std::int64_t min_batches = 20;
  constexpr double max_ratio = 5;
  if (sorted_ || targets_.batches < min_batches) return std::nullopt;
  const auto b = static_cast<double>(targets_.batches), n = static_cast<double>(targets_.values);
  const double variance = targets_.squares / n - (targets_.sum / n) * (targets_.sum / n);
  const double between = targets_.squared_means / b - (targets_.means / b) * (targets_.means / b);
  const double ratio = between * (n / b) / variance;
  if (!(variance > 0) || !(ratio > max_ratio)) return std::nullopt;
  sorted_ = true;
  return Anomaly{.name = "sorted_rows",
                 .step = step,
                 .where = "targets",
                 .evidence = concat("batches differ ", short_form(ratio, 3), " times as much as random ones would"),
                 .cause =
                     "rows come in the order of their classes or of time, so that each batch pulls the weights its "
                     "own way",
                 .remedy = "shuffle the rows before each epoch"};
}

}  // namespace handrail::train
