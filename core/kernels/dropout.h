#pragma once

#include <handrail/core/kernels/philox.h>
#include <handrail/core/kernels/table.h>

// Inside the kernels: dropout and its random mask.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {
namespace {

// Blocks that are computed side by side: enough for compilers to vectorise the loops over them.
constexpr std::size_t philox_blocks = 64;

// The words of `philox_blocks` blocks from number `first` on, in order.
inline void philox_words(const std::uint32_t* counter, const std::uint32_t* key, std::uint32_t first,
                         std::uint32_t* __restrict words) {
  std::uint32_t w0[philox_blocks], w1[philox_blocks], w2[philox_blocks], w3[philox_blocks];
  for (std::size_t j = 0; j < philox_blocks; ++j) {
    w0[j] = first + static_cast<std::uint32_t>(j);
    w1[j] = counter[1];
    w2[j] = counter[2];
    w3[j] = counter[3];
  }
  philox4x32(w0, w1, w2, w3, key[0], key[1]);
  for (std::size_t j = 0; j < philox_blocks; ++j) {
    words[4 * j] = w0[j];
    words[4 * j + 1] = w1[j];
    words[4 * j + 2] = w2[j];
    words[4 * j + 3] = w3[j];
  }
}

void dropout(const std::uint32_t* counter, const std::uint32_t* key, Index first, Index size, std::uint32_t threshold,
             Scalar scale, const Scalar* x, Scalar* __restrict mask, Scalar* __restrict y) {
  constexpr Index at_once = 4 * Index{philox_blocks};
  std::uint32_t words[at_once];
  for (Index i = 0; i < size; i += at_once) {
    philox_words(counter, key, static_cast<std::uint32_t>((first + i) / 4), words);
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
