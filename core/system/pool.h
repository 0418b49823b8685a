#pragma once

#include <cstddef>
#include <cstdint>

/// The memory of tensors.
namespace handrail::pool {

/// The head of every piece of tensor memory. The bytes after it belong to the tensor.
struct Block {
  const void* owner = nullptr;  // the pool that it came from; freed on another thread, it goes to the heap
  Block* next = nullptr;        // in the free list
  /// Which free list it belongs to. Class 0 has 256 bytes, and every fourth class after it twice as many.
  std::uint32_t size_class = 0;
};

/// Takes a block of at least `bytes` bytes, its head included, aligned to 64 bytes. Only the head is initialised. Freed
/// blocks are kept by size class for the thread that took them, so that a training loop whose shapes repeat does not
/// call the heap after its first step. Throws std::bad_alloc.
Block* take(std::size_t bytes);
/// Frees a block, on any thread.
void give(Block* block) noexcept;

}  // namespace handrail::pool

namespace handrail {

/// Returns the free blocks of this thread to the heap.
void release_cached_memory() noexcept;

}  // namespace handrail
