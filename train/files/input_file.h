#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zlib.h>

#include <handrail/train/files/text.h>

namespace handrail::train {

/// Reads a file once, from front to back. Gzip data, recognised by its first two bytes, is inflated while it is read,
/// and only as far as the caller asks. For the readers of data files. Private: not installed.
///
/// zlib's gzread would take a damaged second gzip member for padding and report the end of the file. Here whatever
/// follows a member must be another member.
///
/// The constructor and read() throw DataError, starting with name(), when there is no such file, when it is a
/// directory, when a read fails, and when gzip data is damaged or ends early.
class InputFile {
 public:
  /// Opens the file. `reader` is the name of the function that errors are reported for.
  InputFile(std::string_view reader, const std::filesystem::path& path);

  /// Fills `out` and returns how many bytes were read: fewer than out.size() only at the end of the file. The checksum
  /// of gzip data is checked by the read that reaches its end, so ask for one byte more than is expected.
  std::size_t read(std::span<std::uint8_t> out);
  bool is_gzip() const { return inflater_ != nullptr; }
  /// Whether it can be opened and read again, unlike a pipe.
  bool is_regular() const { return regular_; }
  /// The size of the file in bytes; nothing for gzip data and for a pipe, whose size is not known beforehand.
  std::optional<std::uint64_t> size() const { return size_; }
  /// How messages start, such as "read_idx: 'file'".
  const std::string& name() const { return name_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct InflateEnd {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);
      delete stream;
    }
  };

  bool refill();
  void start_inflating();
  std::size_t read_plain(std::span<std::uint8_t> out);
  std::size_t read_gzip(std::span<std::uint8_t> out);
  void begin_member();
  /// The position of the next unread byte in the file.
  std::uint64_t offset() const { return refilled_ - (end_ - next_); }

  std::string name_;
  std::unique_ptr<std::FILE, Close> file_;
  std::optional<std::uint64_t> size_;
  bool regular_ = false;
  std::vector<std::uint8_t> buffer_;  // bytes as stored; those from next_ to end_ are unread
  std::size_t next_ = 0, end_ = 0;
  std::uint64_t refilled_ = 0;                      // bytes read from the file so far
  std::unique_ptr<z_stream, InflateEnd> inflater_;  // null for a plain file
  bool in_member_ = false;
};

}  // namespace handrail::train
