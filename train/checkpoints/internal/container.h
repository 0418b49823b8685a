#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handrail::train {

class FileSystem;

/// A named part of a file. The name has at most 16 characters.
struct Section {
  std::string name;
  std::string bytes;
  /// A large piece that is not copied into `bytes`. It stands before bytes[position] in the content. Its owner must
  /// outlive the section.
  struct Borrowed {
    std::size_t position;
    std::string_view bytes;
  };
  std::vector<Borrowed> borrowed = {};

  /// The whole content, piece by piece, in order.
  std::vector<std::string_view> pieces() const;
  /// The number of bytes of the content.
  std::uint64_t size() const;
};

/// Returns the header of a file. The sections follow it in their order without gaps. All numbers are little-endian:
///   0   8 bytes  89 'H' 'R' 'C' 0D 0A 1A 0A: a 7-bit channel or a conversion of line ends would damage it visibly
///   8   u32      format the file was written in
///   12  u32      the oldest format whose readers can read this file
///   16  u32      flags; the container gives them no meaning
///   20  u32      number of sections, at most 64
///   24  u64      size of the file
///   32  for each section: name, 16 bytes filled up with zeros; offset u64; length u64; CRC-32 u32
///       u32      CRC-32 of all of the above
/// This layout is the same in all formats; formats differ in what the sections hold. A reader ignores sections whose
/// name it does not know.
std::string container_header(std::span<const Section> sections, std::uint32_t flags);

/// The format that this version writes, and the newest that it reads.
inline constexpr std::uint32_t container_format = 3;
/// The length that no header exceeds.
inline constexpr std::size_t max_header_bytes = 4096;

/// The header of a file, parsed.
struct ContainerHeader {
  struct Entry {
    std::string name;
    std::uint64_t offset, length;
    std::uint32_t crc;
  };
  std::uint32_t flags;
  std::vector<Entry> sections;
};
/// Reads and checks the header of a file. start: the first bytes of the file, at least max_header_bytes or the whole
/// file. Throws CheckpointError, starting with `who`, when the header is damaged, has a newer format, or does not
/// belong to a file of that size.
ContainerHeader parse_header(std::string_view start, std::uint64_t file_size, const std::string& who);

/// Reads a whole file, after its header was checked: a large file of another kind is refused before memory is asked
/// for. Throws CheckpointError, starting with `who`, as read_file and parse_header do.
std::string read_container(FileSystem& files, const std::filesystem::path& path, const std::string& who);

/// The sections of a file, as views into its bytes.
struct Container {
  std::uint32_t flags;
  std::map<std::string, std::string_view, std::less<>> sections;
};
/// Checks the whole file, the header and the checksum of every section, and returns its sections. Throws
/// CheckpointError, starting with `who`, when it is damaged in any way or has a newer format.
Container unpack(std::string_view file, const std::string& who);

}  // namespace handrail::train
