#include <handrail/train/data/internal/data_part.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <handrail/train/data/loader.h>

namespace handrail::train {
namespace {

Index width(const DataPart& part) { return std::max<Index>(1, part.rows.dataset().input_shape().size()); }

}  // namespace

Rows sample_rows(const DataPart& part, std::optional<Index> count) {
  constexpr Index max_numbers = Index{1} << 28;
  const Index size = part.rows.size();
  const Index taken = std::min({size, count.value_or(size), std::max<Index>(1, max_numbers / width(part))});
  if (taken == size) return part.rows;
  std::vector<Index> positions;
  positions.reserve(static_cast<std::size_t>(taken));
  for (Index i = 0; i < taken; ++i) positions.push_back(i * size / taken);
  return part.rows.pick(positions);
}

Batch gather(const DataPart& part, std::span<const Index> numbers) {
  const Dataset& dataset = part.rows.dataset();
  Batch batch = empty_batch(dataset, std::ssize(numbers));
  if (part.normalization)
    dataset.gather_normalized(numbers, *part.normalization, batch);
  else
    dataset.gather(numbers, batch);
  return batch;
}

void for_batches(const DataPart& part, const Rows& rows,
                 const std::function<void(std::span<const Index>, const Batch&)>& visit) {
  constexpr Index chunk = 65536;  // numbers: a quarter of a megabyte
  const Loader loader(
      rows, {.batch_size = std::clamp<Index>(chunk / width(part), 1, 256), .normalization = part.normalization});
  Index done = 0;
  for (Index i = 0; i < loader.size(); ++i) {
    const auto numbers = loader.rows(i);
    visit(numbers, loader.batch(i));
    done += std::ssize(numbers);
    if (part.progress) part.progress(done, rows.size());
  }
}

}  // namespace handrail::train
