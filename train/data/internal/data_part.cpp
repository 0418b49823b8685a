#include <handrail/train/data/internal/data_part.h>

#include <algorithm>
#include <utility>

#include <handrail/train/data/loader.h>

namespace handrail::train {
namespace {

Index width(const DataPart& part) { return std::max<Index>(1, part.dataset.input_shape().size()); }

}  // namespace

std::vector<Index> sample_rows(const DataPart& part, std::optional<Index> count) {
  constexpr Index most_numbers = Index{1} << 28;
  const Index size = std::ssize(part.rows);
  const Index taken = std::min({size, count.value_or(size), std::max<Index>(1, most_numbers / width(part))});
  std::vector<Index> rows;
  rows.reserve(static_cast<std::size_t>(taken));
  for (Index i = 0; i < taken; ++i) rows.push_back(part.rows[static_cast<std::size_t>(i * size / taken)]);
  return rows;
}

Batch gather(const DataPart& part, std::span<const Index> rows) {
  Batch batch = empty_batch(part.dataset, std::ssize(rows));
  if (part.normalization)
    part.dataset.gather_normalized(rows, *part.normalization, batch);
  else
    part.dataset.gather(rows, batch);
  return batch;
}

void for_batches(const DataPart& part, std::vector<Index> rows,
                 const std::function<void(std::span<const Index>, const Batch&)>& visit) {
  constexpr Index chunk = 65536;  // numbers: a quarter of a megabyte
  const auto total = std::ssize(rows);
  const Loader loader(
      part.dataset, std::move(rows),
      {.batch_size = std::clamp<Index>(chunk / width(part), 1, 256), .normalization = part.normalization});
  Index done = 0;
  for (Index i = 0; i < loader.size(); ++i) {
    const auto batch_rows = loader.rows(i);
    visit(batch_rows, loader.batch(i));
    done += std::ssize(batch_rows);
    if (part.progress) part.progress(done, total);
  }
}

}  // namespace handrail::train
