// What libFuzzer calls. An exception that leaves it is a crash to libFuzzer, which keeps the input.

#include <cstdint>
#include <cstring>

#include "target.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::answer({reinterpret_cast<const char*>(data), size});
  return 0;
}

// One in eight is left unmended, for the checks of checksums themselves.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (!fuzz::target.mend || seed % 8 == 0) return size;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  fuzz::target.mend(bytes);
  std::memcpy(data, bytes.data(), size);
  return size;
}
