#include "support/heap_faults.h"

#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace heap_faults {
namespace {

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (until_failure > 0 && --until_failure == 0) {
    until_failure = -1;
    return nullptr;
  }
  // aligned_alloc wants a multiple of the alignment.
  alignment = std::max(alignment, alignof(std::max_align_t));
  void* memory =
      std::aligned_alloc(alignment, (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment);
  if (!memory) return nullptr;
  const std::int64_t now = live += static_cast<std::int64_t>(malloc_usable_size(memory));
  for (std::int64_t seen = peak; seen < now && !peak.compare_exchange_weak(seen, now);) {
  }
  return memory;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  if (void* memory = allocate(size, alignment)) return memory;
  throw std::bad_alloc();
}

void release(void* memory) noexcept {
  if (memory) live -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace
}  // namespace heap_faults

void* operator new(std::size_t size) { return heap_faults::allocate_or_throw(size, 1); }
void* operator new[](std::size_t size) { return heap_faults::allocate_or_throw(size, 1); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return heap_faults::allocate(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return heap_faults::allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return heap_faults::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return heap_faults::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return heap_faults::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return heap_faults::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { heap_faults::release(memory); }
void operator delete[](void* memory) noexcept { heap_faults::release(memory); }
void operator delete(void* memory, std::size_t) noexcept { heap_faults::release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { heap_faults::release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { heap_faults::release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { heap_faults::release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { heap_faults::release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { heap_faults::release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { heap_faults::release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { heap_faults::release(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { heap_faults::release(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { heap_faults::release(memory); }
