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

/// A file read once from front to back; gzip data, told by its first two bytes, is inflated on the way,
/// only as far as is asked for. For the readers of data files: not installed.
///
/// zlib's gzread does nearly the same, but takes a damaged second gzip member for padding and ends
/// there in silence; here whatever follows a member must be another one.
///
/// Every failure is a DataError that starts with name(): no such file, a directory, a failed read,
/// gzip data that is damaged or ends early.
class InputFile {
 public:
  /// `reader` is the function that errors are reported for.
  InputFile(std::string_view reader, const std::filesystem::path& path);

  /// Fills `out` and returns its size; less only at the end of the file. The checksum of gzip data is
  /// checked by the read that comes to its end: ask for one byte more than is expected.
  std::size_t read(std::span<std::uint8_t> out);
  bool is_gzip() const { return inflater_ != nullptr; }
  /// The number of bytes in all, as far as it is known beforehand: not for gzip data or a pipe.
  std::optional<std::uint64_t> size() const { return size_; }
  /// How messages start: read_idx: 'file'
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
  /// Where the next unread byte is in the file.
  std::uint64_t offset() const { return refilled_ - (end_ - next_); }

  std::string name_;
  std::unique_ptr<std::FILE, Close> file_;
  std::optional<std::uint64_t> size_;
  std::vector<std::uint8_t> buffer_;  // of the file as it is; unread from next_ to end_
  std::size_t next_ = 0, end_ = 0;
  std::uint64_t refilled_ = 0;                      // bytes that came from the file
  std::unique_ptr<z_stream, InflateEnd> inflater_;  // none for a plain file
  bool in_member_ = false;
};

}  // namespace handrail::train
