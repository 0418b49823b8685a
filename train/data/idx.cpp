#include <handrail/train/data/idx.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/input_file.h>

namespace handrail::train {
namespace {

constexpr std::size_t magic_bytes = 4, bytes_per_dim = 4;

constexpr const char* element_type(std::uint8_t code) {
  switch (code) {
    case 0x08:
      return "unsigned byte";
    case 0x09:
      return "int8";
    case 0x0B:
      return "int16";
    case 0x0C:
      return "int32";
    case 0x0D:
      return "float";
    case 0x0E:
      return "double";
    default:
      return "unknown";
  }
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    if (!text.empty()) text += ' ';
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

// Reads the magic number and returns the number of dimensions.
std::size_t read_magic(InputFile& file) {
  std::array<std::uint8_t, magic_bytes> magic;
  const std::size_t count = file.read(magic);
  if (count == 0) fail<DataError>(file.name(), ": want an IDX file; got 0 bytes: the file is empty");
  const auto got = std::span(magic).first(count);
  if (magic[0] != 0 || (count > 1 && magic[1] != 0))
    fail<DataError>(file.name(), " byte 0: want an IDX file, which starts with the bytes 00 00; got ", hex(got));
  if (count < magic_bytes)
    fail<DataError>(file.name(), ": want ", magic_bytes, " bytes of magic number; got ", count,
                    ": the file is truncated");
  if (magic[2] != 0x08)
    fail<DataError>(file.name(), " byte 2: want elements of type unsigned byte, 08; got ", hex(got.subspan(2, 1)),
                    ", type ", element_type(magic[2]));
  if (magic[3] < 1 || magic[3] > Shape::max_rank)
    fail<DataError>(file.name(), " byte 3: want 1 to ", Shape::max_rank, " dimensions; got ", int{magic[3]});
  return magic[3];
}

Shape read_shape(InputFile& file) {
  const std::size_t rank = read_magic(file), want = rank * bytes_per_dim;
  std::array<std::uint8_t, Shape::max_rank * bytes_per_dim> bytes;
  const std::size_t got = file.read(std::span(bytes).first(want));
  if (got < want)
    fail<DataError>(file.name(), ": want ", magic_bytes + want, " bytes of header for ", rank, " dimensions; got ",
                    magic_bytes + got, ": the file is truncated");
  std::array<Index, Shape::max_rank> dims{};
  for (std::size_t i = 0; i < want; ++i) dims[i / bytes_per_dim] = dims[i / bytes_per_dim] * 256 + bytes[i];
  const auto used = std::span<const Index>(dims).first(rank);
  if (const auto zero = std::ranges::find(used, 0); zero != used.end())
    fail<DataError>(file.name(), " byte ", magic_bytes + bytes_per_dim * static_cast<std::size_t>(zero - used.begin()),
                    ": want dimensions of at least 1; got 0");
  try {
    return Shape(used);
  } catch (const ShapeError& error) {
    fail<DataError>(file.name(), " byte ", magic_bytes, ": want dimensions that can be addressed; ", error.what());
  }
}

// Reads `want` bytes, or fewer at the end of the file. Each step allocates at most as much as was read before it (or
// 1 MB), because a damaged header may claim any size.
std::vector<std::uint8_t> read_at_most(InputFile& file, std::size_t want) {
  constexpr std::size_t first_chunk = 1 << 20;
  std::vector<std::uint8_t> bytes;
  while (bytes.size() < want) {
    const std::size_t done = bytes.size(), chunk = std::min(std::max(first_chunk, done), want - done);
    bytes.reserve(done + chunk);
    bytes.resize(done + chunk);
    const std::size_t got = file.read(std::span(bytes).subspan(done));
    if (got < chunk) {
      bytes.resize(done + got);
      break;
    }
  }
  return bytes;
}

}  // namespace

IdxArray read_idx(const std::filesystem::path& path, std::uint64_t max_inflated_bytes) {
  InputFile file("read_idx", path);
  const Shape shape = read_shape(file);
  const std::size_t header = magic_bytes + bytes_per_dim * static_cast<std::size_t>(shape.rank());
  const auto size = static_cast<std::size_t>(shape.size());
  if (file.is_gzip() && header + size > max_inflated_bytes)
    fail<DataError>(file.name(), ": want at most ", max_inflated_bytes, " bytes after decompression; got a header for ",
                    header + size, "; decompress the file, or raise max_inflated_bytes");
  const auto want = concat(file.name(), ": want ", header + size, " bytes for ", shape, "; got ");
  if (const auto got = file.size(); got && *got > header + size)
    fail<DataError>(want, *got, ": bytes follow the data");
  else if (got && *got < header + size)
    fail<DataError>(want, *got, ": the file is truncated");

  std::vector<std::uint8_t> bytes = read_at_most(file, size);
  if (bytes.size() < size) fail<DataError>(want, header + bytes.size(), ": the file is truncated");
  std::uint8_t extra = 0;
  if (file.read(std::span(&extra, 1)) != 0) fail<DataError>(want, "more: bytes follow the data");
  return {.shape = shape, .bytes = std::move(bytes)};
}

ByteDataset load_idx(const std::filesystem::path& images_path, const std::filesystem::path& labels_path,
                     const IdxOptions& options) {
  const int classes = options.classes.value_or(256);
  if (classes < 1 || classes > 256) fail<OptionError>("load_idx: want classes in [1, 256]; got ", classes);
  IdxArray labels = read_idx(labels_path, options.max_inflated_bytes);
  if (labels.shape.rank() != 1)
    fail<DataError>("load_idx: '", labels_path.string(), "': want labels [N]; got ", labels.shape);
  const auto bad = std::ranges::find_if(labels.bytes, [&](std::uint8_t label) { return label >= classes; });
  if (const auto row = bad - labels.bytes.begin(); bad != labels.bytes.end())
    throw DataError(concat("load_idx: '", labels_path.string(), "' row ", row, ": want a label below ", classes,
                           "; got ", int{*bad}),
                    row);
  IdxArray images = read_idx(images_path, options.max_inflated_bytes);
  const Shape& shape = images.shape;
  if (shape.rank() < 2) fail<DataError>("load_idx: '", images_path.string(), "': want images [N, ...]; got ", shape);
  if (shape[0] != labels.shape[0])
    fail<DataError>("load_idx: want as many images as labels; got ", shape[0], " in '", images_path.string(), "' and ",
                    labels.shape[0], " in '", labels_path.string(), "'");
  const Shape sample = options.flatten ? Shape{shape.size() / shape[0]} : shape.without_first();
  return {sample, std::move(images.bytes), std::move(labels.bytes)};
}

}  // namespace handrail::train
