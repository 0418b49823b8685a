#include <handrail/train/data/subset.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <typeinfo>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/pool.h>

namespace handrail::train {
namespace {

// Calls read with the numbers of the rows at these positions. The numbers are in memory of the pool, so that a training
// loop makes no heap call.
template <class Read>
auto with_numbers(const Rows& rows, std::span<const Index> positions, const Read& read) {
  const std::unique_ptr<pool::Block, decltype(&pool::give)> block(
      pool::take(sizeof(pool::Block) + positions.size_bytes()), &pool::give);
  const std::span<const Index> all = rows.numbers();
  auto* const numbers = reinterpret_cast<Index*>(block.get() + 1);
  std::ranges::transform(positions, numbers, [all](Index position) { return all[static_cast<std::size_t>(position)]; });
  return read(std::span<const Index>(numbers, positions.size()));
}

}  // namespace

Subset::Subset(std::shared_ptr<const Dataset> dataset, std::vector<Index> rows)
    : dataset_(std::move(dataset)), rows_(*dataset_, std::move(rows)) {
  if (rows_.empty()) fail<DataError>("Subset: want at least one row; got none");
  const Dataset& below = *dataset_;
  if (typeid(below) != typeid(Subset)) return;  // a class derived from Subset may change what it reads
  const auto subset = std::static_pointer_cast<const Subset>(dataset_);
  rows_ = subset->rows_.pick(rows_.numbers());
  dataset_ = subset->dataset_;
}

void Subset::gather(std::span<const Index> rows, const Batch& batch) const {
  with_numbers(rows_, rows, [&](std::span<const Index> numbers) { dataset_->gather(numbers, batch); });
}

std::optional<Normalization> Subset::fit_normalization(std::span<const Index> rows) const {
  return with_numbers(rows_, rows,
                      [&](std::span<const Index> numbers) { return dataset_->fit_normalization(numbers); });
}

void Subset::gather_normalized(std::span<const Index> rows, const Normalization& constants, const Batch& batch) const {
  with_numbers(rows_, rows,
               [&](std::span<const Index> numbers) { dataset_->gather_normalized(numbers, constants, batch); });
}

}  // namespace handrail::train
