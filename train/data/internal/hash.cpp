#include <handrail/train/data/internal/hash.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <vector>

#include <handrail/core/system/parallel.h>

namespace handrail::train {
namespace {

// The high bits are folded into the low ones before the product carries them up again: small whole numbers, stored as
// floating-point numbers, differ in their high bits only.
std::uint64_t mix(std::uint64_t x) {
  constexpr std::uint64_t golden = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio: odd, and its bits have no pattern
  return (x ^ (x >> 32)) * golden;
}

}  // namespace

// Eight chains run side by side, because a product has to wait for the one before it.
std::uint64_t hash_bytes(std::span<const std::byte> values) {
  using Words = std::array<std::uint64_t, 8>;
  Words chains{}, words{};
  const std::size_t bytes = values.size(), whole = bytes / sizeof words * sizeof words;
  const std::byte* from = values.data();
  for (std::size_t at = 0; at < whole; at += sizeof words) {
    std::memcpy(words.data(), from + at, sizeof words);
    for (std::size_t k = 0; k < words.size(); ++k) chains[k] = mix(chains[k] ^ words[k]);
  }
  words = {};
  if (bytes > whole) std::memcpy(words.data(), from + whole, bytes - whole);
  std::uint64_t hash = values.size();
  for (std::size_t k = 0; k < words.size(); ++k) hash = mix(mix(hash) ^ mix(chains[k] ^ words[k]) ^ k);
  return mix(mix(hash));
}

std::uint64_t join_hashes(std::uint64_t first, std::uint64_t second) { return mix(mix(first) ^ second); }

std::uint64_t hash_rows(const Rows& rows, const std::function<void()>& poll) {
  constexpr Index chunk_numbers = Index{1} << 16, chunks_to_poll = 64;
  constexpr double ns_per_number = 0.5;
  const Dataset& dataset = rows.dataset();
  const Index width = std::max<Index>(1, dataset.input_shape().size() + dataset.target_shape().size());
  const Index chunk = std::max<Index>(1, chunk_numbers / width), block = chunk * chunks_to_poll;
  const auto numbers = rows.numbers();
  std::uint64_t hash = 0;
  for (Index first = 0; first < rows.size(); first += block) {
    poll();
    const Index size = std::min(block, rows.size() - first);
    std::array<std::uint64_t, chunks_to_poll> hashes{};
    const int threads = threads_for(static_cast<double>(size * width) * ns_per_number);
    parallel_ranges(size, chunk, threads, [&](Index begin, Index end) {
      const auto some = numbers.subspan(static_cast<std::size_t>(first + begin), static_cast<std::size_t>(end - begin));
      hashes[static_cast<std::size_t>(begin / chunk)] = dataset.hash(some);
    });
    for (const std::uint64_t of_chunk : hashes) hash = join_hashes(hash, of_chunk);
  }
  return hash;
}

}  // namespace handrail::train
