#include "support/heap_faults.h"

#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "support/sanitized.h"

// Whether malloc and its kin are replaced, which a sanitizer does itself.
#if defined(__GLIBC__) && !HANDRAIL_TEST_SANITIZED
#define HANDRAIL_TEST_FAILS_MALLOC 1
extern "C" {
void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* memory, std::size_t size) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;
}
#endif

namespace heap_faults {
namespace {

bool fails() noexcept {
  if (!planned) return false;
  const std::int64_t call = ++calls;
  return call >= plan.first && call - plan.first < plan.count;
}

void* aligned(std::size_t alignment, std::size_t size) noexcept {
#ifdef HANDRAIL_TEST_FAILS_MALLOC
  return __libc_memalign(alignment, size);  // not counted again
#else
  return std::aligned_alloc(alignment, size);
#endif
}

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (fails()) return nullptr;
  // aligned_alloc wants a multiple of the alignment.
  alignment = std::max(alignment, alignof(std::max_align_t));
  void* memory = aligned(alignment, (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment);
  if (!memory) return nullptr;
  ++blocks;
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
  if (memory) {
    live -= static_cast<std::int64_t>(malloc_usable_size(memory));
    --blocks;
  }
  std::free(memory);
}

#ifdef HANDRAIL_TEST_FAILS_MALLOC
template <class Call>
void* counted(Call&& call) noexcept {
  if (!plan.with_malloc || !fails()) return call();
  errno = ENOMEM;
  return nullptr;
}
#endif

}  // namespace
}  // namespace heap_faults

#ifdef HANDRAIL_TEST_FAILS_MALLOC
extern "C" {
void* malloc(std::size_t size) noexcept {
  return heap_faults::counted([&] { return __libc_malloc(size); });
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  return heap_faults::counted([&] { return __libc_calloc(count, size); });
}
void* realloc(void* memory, std::size_t size) noexcept {
  return heap_faults::counted([&] { return __libc_realloc(memory, size); });
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return heap_faults::counted([&] { return __libc_memalign(alignment, size); });
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  *memory = heap_faults::counted([&] { return __libc_memalign(alignment, size); });
  return *memory ? 0 : ENOMEM;
}
}
#endif

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
