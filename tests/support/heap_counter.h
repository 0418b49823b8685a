#pragma once

// Counts the calls of this program to the heap: every form of operator new and, with glibc and no
// sanitizer in the way, malloc and its kin, which Eigen calls directly. Include
// it in exactly one source of a program: it replaces these functions.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HANDRAIL_TEST_COUNTS_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HANDRAIL_TEST_COUNTS_MALLOC 0
#endif
#endif
#ifndef HANDRAIL_TEST_COUNTS_MALLOC
#ifdef __GLIBC__
#define HANDRAIL_TEST_COUNTS_MALLOC 1
#else
#define HANDRAIL_TEST_COUNTS_MALLOC 0
#endif
#endif

namespace heap_counter {

inline constinit std::atomic<std::int64_t> calls = 0;

/// The calls, of all threads, made while f runs.
template <class F>
std::int64_t during(F&& f) {
  const std::int64_t before = calls;
  f();
  return calls - before;
}

inline void* allocate(std::size_t size, std::size_t alignment) noexcept {
#if !HANDRAIL_TEST_COUNTS_MALLOC
  ++calls;  // else malloc counts
#endif
  if (alignment <= alignof(std::max_align_t)) return std::malloc(size == 0 ? 1 : size);
  // aligned_alloc wants a multiple of the alignment.
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
inline void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  if (void* memory = allocate(size, alignment)) return memory;
  throw std::bad_alloc();
}

}  // namespace heap_counter

#if HANDRAIL_TEST_COUNTS_MALLOC
extern "C" {
void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* memory, std::size_t size) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;

void* malloc(std::size_t size) noexcept {
  ++heap_counter::calls;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  ++heap_counter::calls;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  ++heap_counter::calls;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  ++heap_counter::calls;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  ++heap_counter::calls;
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
}
#endif

void* operator new(std::size_t size) { return heap_counter::allocate_or_throw(size, 1); }
void* operator new[](std::size_t size) { return heap_counter::allocate_or_throw(size, 1); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return heap_counter::allocate(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return heap_counter::allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return heap_counter::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return heap_counter::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return heap_counter::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return heap_counter::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
