#include <handrail/train/data/internal/preview.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/data/internal/data_part.h>

namespace handrail::train {
namespace {

constexpr Index max_kept_numbers = Index{1} << 26;

std::size_t count_of(Index numbers) { return static_cast<std::size_t>(numbers); }

}  // namespace

Preview::Preview(const Dataset& source, bool all_targets, std::function<void(Index, Index)> progress)
    : size_(source.size()), input_shape_(source.input_shape()), target_shape_(source.target_shape()) {
  const Index inputs = input_shape_.size(), outputs = target_shape_.size();
  const DataPart part{.rows = Rows(source), .progress = std::move(progress)};
  const Rows sampled = sample_rows(part, std::max<Index>(1, max_kept_numbers / std::max<Index>(1, inputs + outputs)));
  kept_.assign(sampled.numbers().begin(), sampled.numbers().end());
  inputs_.reserve(count_of(std::ssize(kept_) * inputs));
  outputs_.reserve(count_of(std::ssize(kept_) * outputs));
  all_targets = all_targets && outputs == 1;
  if (all_targets) targets_.reserve(count_of(size_));

  auto next = kept_.begin();
  for_batches(part, all_targets ? part.rows : sampled, [&](std::span<const Index> rows, const Batch& batch) {
    const auto x = batch.inputs.span(), y = batch.targets.span();
    if (all_targets) targets_.insert(targets_.end(), y.begin(), y.end());
    for (std::size_t i = 0; i < rows.size() && next != kept_.end(); ++i) {
      if (rows[i] != *next) continue;
      ++next;
      const auto row_of = [&](std::span<const Scalar> values, Index width) {
        return values.subspan(i * count_of(width), count_of(width));
      };
      std::ranges::copy(row_of(x, inputs), std::back_inserter(inputs_));
      std::ranges::copy(row_of(y, outputs), std::back_inserter(outputs_));
    }
  });
}

Rows Preview::kept(const Rows& rows) const {
  std::vector<Index> both;
  std::ranges::set_intersection(rows.numbers(), kept_, std::back_inserter(both));
  return {*this, std::move(both)};
}

void Preview::gather(std::span<const Index> rows, const Batch& batch) const {
  const Index inputs = input_shape_.size(), outputs = target_shape_.size();
  Scalar *x = batch.inputs.mutable_data(), *y = batch.targets.mutable_data();
  for (const Index row : rows) {
    const auto found = std::ranges::lower_bound(kept_, row);
    if (found == kept_.end() || *found != row) fail("Preview: want a row that is kept; got ", row);
    const Index at = found - kept_.begin();
    x = std::copy_n(inputs_.begin() + at * inputs, inputs, x);
    y = std::copy_n(outputs_.begin() + at * outputs, outputs, y);
  }
}

void Preview::gather_normalized(std::span<const Index> rows, const Normalization& constants, const Batch& batch) const {
  gather(rows, batch);
  for (Scalar& x : batch.inputs.mutable_span())
    x = static_cast<Scalar>((static_cast<double>(x) - constants.mean) / constants.stddev);
}

}  // namespace handrail::train
