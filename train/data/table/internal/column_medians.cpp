#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include <handrail/core/system/parallel.h>
#include <handrail/train/data/table/internal/column_medians.h>

namespace handrail::train {
namespace {

// Finds the bits of each median from the highest on, by counting: a copy of a column would take memory.
std::vector<Scalar> find_medians(const Tensor& values, std::span<const Index> columns) {
  using Bits = std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint64_t>;
  constexpr int digit_bits = 8, all_bits = 8 * sizeof(Bits);
  constexpr Bits sign = Bits{1} << (all_bits - 1);
  // Bits whose order is that of the numbers.
  const auto key_of = [](Scalar value) {
    const auto bits = std::bit_cast<Bits>(value);
    return static_cast<Bits>((bits & sign) != 0 ? ~bits : bits | sign);
  };
  struct Search {
    Bits found = 0;         // the highest bits of the median
    std::int64_t rank = 0;  // of the median among the values with these bits
    std::array<std::int64_t, 1 << digit_bits> counts = {};
  };
  const Index width = values.shape()[1];
  const Scalar *const first = values.data(), *const end = first + values.size();
  std::vector<Search> searches(columns.size());
  for (int shift = all_bits - digit_bits; shift >= 0; shift -= digit_bits) {
    for (auto& search : searches) search.counts = {};
    for (const Scalar* row = first; row != end; row += width)
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const Scalar value = row[columns[i]];
        if (std::isnan(value)) continue;
        const Bits key = key_of(value);
        auto& [found, rank, counts] = searches[i];
        const bool same = shift == all_bits - digit_bits || ((key ^ found) >> (shift + digit_bits)) == 0;
        counts[(key >> shift) & 0xFF] += same ? 1 : 0;
      }
    for (auto& [found, rank, counts] : searches) {
      if (shift == all_bits - digit_bits) {
        std::int64_t total = 0;
        for (const std::int64_t count : counts) total += count;
        rank = (total - 1) / 2;
      }
      Bits digit = 0;
      while (digit < 0xFF && rank >= counts[digit]) rank -= counts[digit++];
      found |= digit << shift;
    }
  }
  std::vector<Scalar> medians;
  medians.reserve(searches.size());
  for (const auto& search : searches)
    medians.push_back(
        std::bit_cast<Scalar>((search.found & sign) != 0 ? search.found ^ sign : static_cast<Bits>(~search.found)));
  return medians;
}

}  // namespace

std::vector<Scalar> column_medians(const Tensor& values, std::span<const Index> columns) {
  // Columns that lie side by side are looked at together, as a look at one reads the memory of all.
  constexpr Index max_at_once = 16;
  const Index count = std::ssize(columns), share = (count + num_threads() - 1) / num_threads();
  std::vector<Scalar> medians(columns.size());
  parallel_ranges(count, std::clamp<Index>(share, 1, max_at_once), num_threads(), [&](Index begin, Index end) {
    const auto some = columns.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    std::ranges::copy(find_medians(values, some), medians.begin() + begin);
  });
  return medians;
}

}  // namespace handrail::train
