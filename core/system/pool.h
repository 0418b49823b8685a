#pragma once

#include <cstddef>
#include <cstdint>

namespace handrail::pool {

/// The head of every piece of tensor memory. The bytes behind it are the owner's.
struct Block {
  const void* owner = nullptr;  // the pool it came from; another thread's block goes to the heap
  Block* next = nullptr;        // in the free list
  std::uint32_t size_class = 0;
};

/// Memory of at least `bytes` bytes, head included, aligned to 64 bytes, not initialised beyond the
/// head. Freed blocks are kept by size class for the thread that took them, so that a training loop
/// whose shapes repeat stops calling the heap after its first step. Throws std::bad_alloc.
Block* take(std::size_t bytes);
void give(Block* block) noexcept;

}  // namespace handrail::pool

namespace handrail {

/// Gives the cached tensor memory of this thread back to the heap.
void release_cached_memory() noexcept;

}  // namespace handrail
