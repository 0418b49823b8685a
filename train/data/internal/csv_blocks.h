#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/train/data/csv.h>
#include <handrail/train/files/input_file.h>

namespace handrail::train {

/// Whether the line, without its line feed, has nothing but blanks and tabs.
bool is_blank_line(std::string_view line);
/// The number of lines. The last one may have no end.
std::int64_t count_lines(std::string_view text);

/// Whole lines of a file. The last one of the file may have no line end.
struct CsvBlock {
  std::vector<char> buffer = {};  // keeps its size, as filling it with zeros for each block would take time
  std::size_t size = 0;           // of the lines, which begin the buffer
  std::int64_t first_line = 0;    // the number of its first line
  std::int64_t blank_before = 0;  // the first of the blank lines right before the block; 0: there is none

  std::string_view text() const { return {buffer.data(), size}; }
};

/// Cuts a file into blocks, the same ones each time. Private: not installed.
class CsvBlocks {
 public:
  /// Opens the file. Throws DataError as InputFile does, and when the file is no regular one.
  CsvBlocks(std::string_view reader, const std::filesystem::path& path, const CsvOptions& options);

  const std::string& file_name() const { return file_.name(); }
  /// How many were read, after decompression.
  std::uint64_t bytes() const { return bytes_; }
  /// The next block; false at the end of the file. Throws DataError on a line or a compressed file that is too long.
  bool next(CsvBlock& block);

 private:
  void append(CsvBlock& block, std::string_view text);
  void fill(CsvBlock& block);
  void note_blank_end(const CsvBlock& block);

  InputFile file_;
  const CsvOptions& options_;
  std::size_t block_bytes_ = std::size_t{32} << 10;  // small at first, so that a small file takes little memory
  std::string rest_;                                 // the beginning of a line
  std::uint64_t bytes_ = 0;
  bool at_end_ = false;
  std::int64_t line_ = 1;   // of the first line that has not been read
  std::int64_t blank_ = 0;  // the first of the blank lines before it
};

}  // namespace handrail::train
