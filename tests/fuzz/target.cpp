#include "target.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <new>

#include <handrail/core/system/parallel.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FUZZ_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FUZZ_SANITIZED 1
#endif
#endif
#ifndef FUZZ_SANITIZED
#define FUZZ_SANITIZED 0
#endif
#if FUZZ_SANITIZED
// Of <sanitizer/allocator_interface.h>, which GCC does not have.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t),
                                                         void (*)(const volatile void*));
#endif

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
constinit std::size_t most_memory = no_limit;  // for one request

// While it lives, the program may not ask for more.
struct MemoryLimit {
  explicit MemoryLimit(std::size_t bytes) { most_memory = bytes; }
  ~MemoryLimit() { most_memory = no_limit; }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
};

void check_request(std::size_t size) {
  if (size <= most_memory) return;
  std::fprintf(stderr, "a request for %zu bytes of memory; want at most %zu\n", size, most_memory);
  std::abort();  // here, for its stack
}

}  // namespace

#if FUZZ_SANITIZED
// operator new is the sanitizer's, which tells of misuse.
static const int hooked = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t size) { check_request(size); }, [](const volatile void*) {});
#else
// All other forms end in these. What the library takes directly from malloc is zlib's, of constant size.
void* operator new(std::size_t size, std::align_val_t alignment) {
  check_request(size);
  const auto to = static_cast<std::size_t>(alignment);
  // aligned_alloc wants a multiple of the alignment.
  void* const memory = std::aligned_alloc(to, (std::max<std::size_t>(size, 1) + to - 1) / to * to);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size) { return operator new (size, std::align_val_t{alignof(std::max_align_t)}); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

namespace fuzz {

std::optional<std::string> answer(std::string_view bytes) {
  try {
#if FUZZ_SANITIZED
    require(hooked != 0, "requests for memory cannot be seen");
#endif
    static_cast<void>(handrail::num_threads());  // the OpenMP runtime asks for its own memory when it starts
    const MemoryLimit limit(target.memory.fixed + target.memory.per_byte * bytes.size());
    target.read(bytes);
    return std::nullopt;
  } catch (const handrail::Error& error) {
    std::string text = error.what();
    const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\n') || c == '\x7F'; };
    require(std::ranges::none_of(text, is_control), "the text of an error has control characters");
    return text;
  }
}

MemoryFile::MemoryFile() : file_(memfd_create("input", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(file_)) {
  if (file_ < 0) throw std::runtime_error("memfd_create failed");
}

MemoryFile::~MemoryFile() { ::close(file_); }

const std::filesystem::path& MemoryFile::write(std::string_view bytes) {
  if (::ftruncate(file_, 0) != 0 ||
      ::pwrite(file_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("the file in memory cannot be written");
  return path_;
}

}  // namespace fuzz
