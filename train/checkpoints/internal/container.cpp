#include <handrail/train/checkpoints/internal/container.h>

#include <zlib.h>

#include <concepts>

#include <handrail/core/error.h>
#include <handrail/train/files/file_system.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::string_view magic{"\x89HRC\r\n\x1a\n", 8};
constexpr std::size_t fixed_bytes = 32, name_bytes = 16, entry_bytes = name_bytes + 8 + 8 + 4, crc_bytes = 4;
constexpr std::uint32_t max_sections = 64;
static_assert(fixed_bytes + max_sections * entry_bytes + crc_bytes <= max_header_bytes);

template <std::unsigned_integral T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
}

template <std::unsigned_integral T>
T get(std::string_view bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << (8 * i));
  return value;
}

// The checksum of these bytes, continued from the checksum of the bytes before them.
std::uint32_t crc_of(std::string_view bytes, std::uint32_t before = 0) {
  if (bytes.empty()) return before;  // data() may be null: zlib then returns its initial value
  return static_cast<std::uint32_t>(crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

[[noreturn]] void damaged(const std::string& who, const std::string& what) {
  fail<CheckpointError>(who, ": the file is damaged: ", what, "; use an earlier checkpoint or another copy");
}

}  // namespace

std::vector<std::string_view> Section::pieces() const {
  std::vector<std::string_view> all;
  std::size_t from = 0;
  for (const Borrowed& piece : borrowed) {
    all.push_back(std::string_view(bytes).substr(from, piece.position - from));
    all.push_back(piece.bytes);
    from = piece.position;
  }
  all.push_back(std::string_view(bytes).substr(from));
  return all;
}

std::uint64_t Section::size() const {
  std::uint64_t size = 0;
  for (const std::string_view piece : pieces()) size += piece.size();
  return size;
}

std::string container_header(std::span<const Section> sections, std::uint32_t flags) {
  std::uint64_t offset = fixed_bytes + sections.size() * entry_bytes + crc_bytes;
  std::string header(magic), table;
  for (const Section& section : sections) {
    table += section.name;
    table.append(name_bytes - section.name.size(), '\0');
    put<std::uint64_t>(table, offset);
    std::uint32_t crc = 0;
    for (const std::string_view piece : section.pieces()) crc = crc_of(piece, crc);
    put<std::uint64_t>(table, section.size());
    put(table, crc);
    offset += section.size();
  }
  put(header, container_format);
  put(header, container_format);
  put(header, flags);
  put(header, static_cast<std::uint32_t>(sections.size()));
  put(header, offset);
  header += table;
  put(header, crc_of(header));
  return header;
}

ContainerHeader parse_header(std::string_view start, std::uint64_t file_size, const std::string& who) {
  const std::string_view signature = start.substr(0, magic.size());
  if (signature != magic)
    fail<CheckpointError>(who, ": want a handrail file; ",
                          magic.starts_with(signature) ? concat("got only ", file_size, " bytes, it is truncated")
                                                       : "its first 8 bytes are different");
  if (start.size() < fixed_bytes) damaged(who, concat("it is truncated to ", file_size, " bytes"));
  const auto count = get<std::uint32_t>(start, 20);
  if (count > max_sections) damaged(who, concat("its header claims ", count, " sections"));
  const std::size_t header_bytes = fixed_bytes + count * entry_bytes + crc_bytes;
  if (start.size() < header_bytes) damaged(who, concat("it is truncated to ", file_size, " bytes"));
  if (crc_of(start.substr(0, header_bytes - crc_bytes)) != get<std::uint32_t>(start, header_bytes - crc_bytes))
    damaged(who, "the checksum of the header is wrong");
  if (const auto oldest = get<std::uint32_t>(start, 12); oldest > container_format)
    fail<CheckpointError>(who, ": written in format ", get<std::uint32_t>(start, 8),
                          ", which needs a reader of format ", oldest, "; this handrail reads ", container_format,
                          "; use a newer version");
  const auto total = get<std::uint64_t>(start, 24);
  if (total != file_size) damaged(who, concat("want ", total, " bytes; got ", file_size));

  ContainerHeader header{.flags = get<std::uint32_t>(start, 16), .sections = {}};
  std::uint64_t end = header_bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view entry = start.substr(fixed_bytes + i * entry_bytes, entry_bytes);
    const std::string_view padded = entry.substr(0, name_bytes), name = padded.substr(0, padded.find('\0'));
    ContainerHeader::Entry section{.name = std::string(name),
                                   .offset = get<std::uint64_t>(entry, name_bytes),
                                   .length = get<std::uint64_t>(entry, name_bytes + 8),
                                   .crc = get<std::uint32_t>(entry, name_bytes + 16)};
    if (section.offset != end || section.length > total - end) damaged(who, "its sections overlap or leave gaps");
    end += section.length;
    header.sections.push_back(std::move(section));
  }
  if (end != total) damaged(who, concat(total - end, " bytes belong to no section"));
  return header;
}

std::string read_container(FileSystem& files, const std::filesystem::path& path, const std::string& who) {
  const FileStart start = read_file(files, path, who, max_header_bytes);
  parse_header(start.bytes, start.file_size, who);
  return read_file(files, path, who).bytes;
}

Container unpack(std::string_view file, const std::string& who) {
  const ContainerHeader header = parse_header(file, file.size(), who);
  Container container{.flags = header.flags, .sections = {}};
  for (const auto& section : header.sections) {
    const std::string_view bytes = file.substr(section.offset, section.length);
    if (crc_of(bytes) != section.crc)
      damaged(who, concat("the checksum of section ", quoted_name(section.name), " is wrong"));
    if (!container.sections.emplace(section.name, bytes).second)
      damaged(who, concat("it has two sections ", quoted_name(section.name)));
  }
  return container;
}

}  // namespace handrail::train
