#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

#include <handrail/train/data/rows.h>

namespace handrail::train {

/// A hash of these bytes, at several gigabytes per second. It is no protection against somebody who wants two data sets
/// to have the same hash.
std::uint64_t hash_bytes(std::span<const std::byte> bytes);
/// A hash of the bits of these values.
inline std::uint64_t hash_values(std::span<const Scalar> values) { return hash_bytes(std::as_bytes(values)); }
/// Whether these values have the same bits.
inline bool same_bits(std::span<const Scalar> a, std::span<const Scalar> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}
/// A hash of two hashes, in this order.
std::uint64_t join_hashes(std::uint64_t first, std::uint64_t second);

/// A hash of the inputs and targets of all these rows, in their order, by Dataset::hash. Reads every row once, on
/// several threads, in chunks that follow from the shapes: the hash is the same on any number of threads. `poll` is
/// called about once for 2^22 numbers; it may throw to end the reading.
std::uint64_t hash_rows(const Rows& rows, const std::function<void()>& poll);

}  // namespace handrail::train
