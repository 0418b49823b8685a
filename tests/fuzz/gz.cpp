// A compressed IDX file. What is no gzip data is compressed, and must be read as if it were not.

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <handrail/train/data/idx.h>

#include "target.h"

using namespace handrail;
using namespace handrail::train;

namespace {

std::string gzip(std::string_view bytes, int level) {
  z_stream stream{};
  fuzz::require(deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 1, Z_DEFAULT_STRATEGY) == Z_OK, "deflateInit2");
  std::string input(bytes), output(deflateBound(&stream, static_cast<uLong>(input.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  fuzz::require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate");
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}

// The last bytes of what zlib's own reader finds in the file.
std::vector<std::uint8_t> end_of_gzip(const std::filesystem::path& path, std::size_t size) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  std::vector<std::uint8_t> bytes(size + 64);
  const int got = gzread(file.get(), bytes.data(), static_cast<unsigned>(bytes.size()));
  fuzz::require(got >= static_cast<int>(size), "zlib reads less");
  bytes.resize(static_cast<std::size_t>(got));
  bytes.erase(bytes.begin(), bytes.end() - static_cast<std::ptrdiff_t>(size));
  return bytes;
}

std::optional<IdxArray> read_or_refuse(const std::filesystem::path& path) {
  try {
    return read_idx(path);
  } catch (const DataError&) {
    return std::nullopt;
  }
}

void read(std::string_view bytes) {
  static fuzz::MemoryFile file, compressed;
  const auto& path = file.write(bytes);
  if (bytes.starts_with("\x1F\x8B")) {
    const IdxArray array = read_idx(path);
    fuzz::require(end_of_gzip(path, array.bytes.size()) == array.bytes, "zlib reads something else");
    return;
  }
  // In two members, cut and compressed in a way that depends on the input.
  const std::size_t cut = bytes.empty() ? 0 : static_cast<unsigned char>(bytes.back()) % bytes.size();
  const auto level = static_cast<int>(bytes.size() % 10);
  const auto& gz = compressed.write(gzip(bytes.substr(0, cut), level) + gzip(bytes.substr(cut), level));
  const auto array = read_or_refuse(gz);
  if (!array) fuzz::require(!read_or_refuse(path), "what loads as it is does not load compressed");
  const IdxArray plain = read_idx(path);
  fuzz::require(array->shape == plain.shape && array->bytes == plain.bytes, "compressed it is another array");
}

}  // namespace

// The reader asks for 1 MiB ahead of the data, then for twice what it has; a byte inflates to 1032 at most.
const fuzz::Target fuzz::target{.read = read, .memory = {.fixed = 2 << 20, .per_byte = 2 * 1032}};
