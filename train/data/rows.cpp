#include <handrail/train/data/rows.h>

#include <algorithm>
#include <utility>

#include <handrail/core/error.h>

namespace handrail::train {
namespace {

void check_range(const char* what, std::span<const Index> numbers, Index size) {
  for (const Index number : numbers)
    if (number < 0 || number >= size) fail<DataError>("Rows: want ", what, " in [0, ", size, "); got ", number);
}

}  // namespace

Rows::Rows(const Dataset& dataset)
    : dataset_(&dataset), numbers_(std::make_shared<const std::vector<Index>>(all_rows(dataset))) {}

Rows::Rows(const Dataset& dataset, std::vector<Index> numbers) : dataset_(&dataset) {
  check_range("rows", numbers, dataset.size());
  numbers_ = std::make_shared<const std::vector<Index>>(std::move(numbers));
}

Rows Rows::pick(std::span<const Index> positions) const {
  check_range("positions", positions, size());
  std::vector<Index> picked(positions.size());
  std::ranges::transform(positions, picked.begin(),
                         [&](Index position) { return (*numbers_)[static_cast<std::size_t>(position)]; });
  return {*dataset_, std::move(picked)};
}

Rows Rows::first(Index count) const {
  const auto some = numbers().first(static_cast<std::size_t>(std::clamp<Index>(count, 0, size())));
  return {*dataset_, {some.begin(), some.end()}};
}

}  // namespace handrail::train
