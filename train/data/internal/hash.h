#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include <handrail/train/data/rows.h>

namespace handrail::train {

/// A hash of the bits of these values, at several gigabytes per second. It is no protection against somebody who wants
/// two data sets to have the same hash.
std::uint64_t hash_values(std::span<const Scalar> values);

/// A hash of the inputs and targets of all these rows, in their order, as gather writes them. Reads every row once, on
/// several threads, in chunks that follow from the shapes: the hash is the same on any number of threads. `poll` is
/// called about once for 2^22 numbers; it may throw to end the reading.
std::uint64_t hash_rows(const Rows& rows, const std::function<void()>& poll);

}  // namespace handrail::train
