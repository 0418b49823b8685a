#pragma once

#include <cstddef>
#include <cstdint>

#include <handrail/core/scalar.h>

// Inside the library: the only copy of Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as
// easy as 1, 2, 3"), for one block (core/random.cpp) and for many side by side (dropout.h). It has internal linkage, as
// the kernels must share no code.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

/// Turns the counters of `blocks` blocks into their random words, in place: word w of block j is w[j].
template <std::size_t blocks>
inline void philox4x32(std::uint32_t (&w0)[blocks], std::uint32_t (&w1)[blocks], std::uint32_t (&w2)[blocks],
                       std::uint32_t (&w3)[blocks], std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    for (std::size_t j = 0; j < blocks; ++j) {
      const std::uint64_t a = std::uint64_t{0xD2511F53} * w0[j], b = std::uint64_t{0xCD9E8D57} * w2[j];
      w0[j] = static_cast<std::uint32_t>(b >> 32) ^ w1[j] ^ key0;
      w1[j] = static_cast<std::uint32_t>(b);
      w2[j] = static_cast<std::uint32_t>(a >> 32) ^ w3[j] ^ key1;
      w3[j] = static_cast<std::uint32_t>(a);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
