#pragma once

#include <handrail/core/kernels/table.h>

// Inside the kernels: random masks.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// So many that compilers keep the loops over them, and make vectors of them.
constexpr Index philox_side_by_side = 64;

// The words of blocks first, first + 1, ..., in order.
inline void philox(const std::uint32_t* counter, const std::uint32_t* key, std::uint32_t first,
                   std::uint32_t* __restrict words) {
  constexpr Index n = philox_side_by_side;
  std::uint32_t c0[n], c1[n], c2[n], c3[n];
  for (Index j = 0; j < n; ++j) {
    c0[j] = first + static_cast<std::uint32_t>(j);
    c1[j] = counter[1];
    c2[j] = counter[2];
    c3[j] = counter[3];
  }
  std::uint32_t key0 = key[0], key1 = key[1];
  for (int round = 0; round < 10; ++round) {
    for (Index j = 0; j < n; ++j) {
      const std::uint64_t a = std::uint64_t{0xD2511F53} * c0[j], b = std::uint64_t{0xCD9E8D57} * c2[j];
      c0[j] = static_cast<std::uint32_t>(b >> 32) ^ c1[j] ^ key0;
      c1[j] = static_cast<std::uint32_t>(b);
      c2[j] = static_cast<std::uint32_t>(a >> 32) ^ c3[j] ^ key1;
      c3[j] = static_cast<std::uint32_t>(a);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  for (Index j = 0; j < n; ++j) {
    words[4 * j] = c0[j];
    words[4 * j + 1] = c1[j];
    words[4 * j + 2] = c2[j];
    words[4 * j + 3] = c3[j];
  }
}

void dropout(const std::uint32_t* counter, const std::uint32_t* key, Index first, Index size, std::uint32_t threshold,
             Scalar scale, const Scalar* x, Scalar* __restrict mask, Scalar* __restrict y) {
  constexpr Index at_once = 4 * philox_side_by_side;
  std::uint32_t words[at_once];
  for (Index i = 0; i < size; i += at_once) {
    philox(counter, key, static_cast<std::uint32_t>((first + i) / 4), words);
    const Index n = size - i < at_once ? size - i : at_once;
    for (Index j = 0; j < n; ++j) {
      const Scalar kept = words[j] >= threshold ? scale : Scalar(0);
      mask[i + j] = kept;
      y[i + j] = x[i + j] * kept;
    }
  }
}

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
