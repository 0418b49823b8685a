#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handrail::train {

/// A named part of a file, up to 16 characters of name.
struct Section {
  std::string name;
  std::string bytes;
  /// Large pieces that are not copied: each comes before the byte at that position. Whoever owns them must outlive
  /// this.
  struct Borrowed {
    std::size_t position;
    std::string_view bytes;
  };
  std::vector<Borrowed> borrowed = {};

  /// All of the content, in order.
  std::vector<std::string_view> pieces() const;
  std::uint64_t size() const;
};

/// The start of a file, before its sections, which follow in that order without gaps. All numbers are
/// little-endian:
///   0   8 bytes  89 'H' 'R' 'C' 0D 0A 1A 0A: damaged by 7-bit channels and by conversions of line ends
///   8   u32      format the file was written in
///   12  u32      oldest format whose readers can read it
///   16  u32      flags, the user's own
///   20  u32      number of sections, at most 64
///   24  u64      size of the file
///   32  for each section: name, 16 bytes filled up with zeros; offset u64; length u64; CRC-32 u32
///       u32      CRC-32 of all of the above
/// This layout holds for all formats; formats differ in what the sections hold. Readers ignore
/// sections whose name they do not know.
std::string container_header(std::span<const Section> sections, std::uint32_t flags);

inline constexpr std::uint32_t container_format = 2;
/// No header is longer.
inline constexpr std::size_t max_header_bytes = 4096;

struct ContainerHeader {
  struct Entry {
    std::string name;
    std::uint64_t offset, length;
    std::uint32_t crc;
  };
  std::uint32_t flags;
  std::vector<Entry> sections;
};
/// Reads and checks the header of a file from its first bytes, of which there need be no more than
/// max_header_bytes. Throws CheckpointError, starting with `who`, when it is damaged, of a newer
/// format, or not of a file of that size.
ContainerHeader parse_header(std::string_view start, std::uint64_t file_size, const std::string& who);

/// Views into the bytes of a file.
struct Container {
  std::uint32_t flags;
  std::map<std::string, std::string_view, std::less<>> sections;
};
/// Checks all of a file: the header and the checksum of every section. Throws CheckpointError.
Container unpack(std::string_view file, const std::string& who);

}  // namespace handrail::train
