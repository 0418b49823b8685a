// A whole file, as load_checkpoint reads it.

#include <zlib.h>

#include <cstdint>
#include <type_traits>

#include <handrail/train/checkpoints/checkpoint.h>

#include "checkpoint_files.h"
#include "target.h"

using namespace handrail::train;

namespace {

void read(std::string_view bytes) {
  fuzz::OneFile file(bytes);
  const TrainingState state = load_checkpoint("file", file);
  const bool is_best = is_best_checkpoint("file", file);
  read_model("file", file);

  // What loads can be saved, and then is the same, NaN and names and all: the bytes tell.
  save_checkpoint("file", state, is_best, file);
  const std::string saved = file.bytes;
  const TrainingState again = load_checkpoint("file", file);
  fuzz::require(is_best_checkpoint("file", file) == is_best, "saved again, the mark as best differs");
  save_checkpoint("file", again, is_best, file);
  fuzz::require(file.bytes == saved, "saved again, the state differs");
}

template <class T>
T get(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void put(std::string& bytes, std::size_t at, std::type_identity_t<T> value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

std::uint32_t crc_of(const std::string& bytes, std::size_t from, std::size_t size) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data() + from), size));
}

// Of the sections as far as they are there, then of the header. The layout is that of container.h.
void mend(std::string& bytes) {
  constexpr std::size_t fixed = 32, entry = 36, offset_at = 16, length_at = 24, crc_at = 32, crc = 4;
  if (bytes.size() < fixed + crc) return;
  const std::size_t count = std::min<std::size_t>(get<std::uint32_t>(bytes, 20), (bytes.size() - fixed - crc) / entry);
  const std::size_t end = fixed + count * entry;
  for (std::size_t at = fixed; at < end; at += entry) {
    const auto offset = get<std::uint64_t>(bytes, at + offset_at), length = get<std::uint64_t>(bytes, at + length_at);
    if (offset <= bytes.size() && length <= bytes.size() - offset)
      put<std::uint32_t>(bytes, at + crc_at, crc_of(bytes, offset, length));
  }
  put<std::uint32_t>(bytes, end, crc_of(bytes, 0, end));
}

}  // namespace

const fuzz::Target fuzz::target{.read = read, .mend = mend, .memory = {.fixed = 64 << 10, .per_byte = 4}};
