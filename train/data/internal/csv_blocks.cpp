#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/train/data/internal/csv_blocks.h>

namespace handrail::train {
namespace {

void make_room(CsvBlock& block, std::size_t bytes) {
  if (block.buffer.size() < block.size + bytes) block.buffer.resize(block.size + bytes);
}

}  // namespace

bool is_blank_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return std::ranges::all_of(line, [](char c) { return c == ' ' || c == '\t'; });
}

std::int64_t count_lines(std::string_view text) {
  std::int64_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return count;
}

CsvBlocks::CsvBlocks(std::string_view reader, const std::filesystem::path& path, const CsvOptions& options)
    : file_(reader, path), options_(options) {
  if (!file_.is_regular())
    fail<DataError>(file_.name(),
                    ": want a regular file, as it is read twice; got a pipe or a device; write it to a "
                    "file first");
}

bool CsvBlocks::next(CsvBlock& block) {
  block.size = 0;
  append(block, rest_);
  rest_.clear();
  std::size_t lines_end = 0;
  while (!at_end_ && lines_end == 0) {
    if (block.size > options_.max_line_bytes)
      fail<DataError>(file_.name(), " line ", line_, ": want at most ", options_.max_line_bytes,
                      " bytes in a line; got more; if the file is correct, raise max_line_bytes");
    fill(block);
    lines_end = block.text().rfind('\n') + 1;
  }
  if (!at_end_) {
    rest_ = block.text().substr(lines_end);
    block.size = lines_end;
  }
  if (block.size == 0) return false;
  block.first_line = line_;
  block.blank_before = blank_;
  line_ += count_lines(block.text());
  note_blank_end(block);
  return true;
}

void CsvBlocks::append(CsvBlock& block, std::string_view text) {
  make_room(block, text.size());
  std::ranges::copy(text, block.buffer.begin() + static_cast<std::ptrdiff_t>(block.size));
  block.size += text.size();
}

void CsvBlocks::fill(CsvBlock& block) {
  make_room(block, block_bytes_);
  const std::size_t got = file_.read({reinterpret_cast<std::uint8_t*>(block.buffer.data()) + block.size, block_bytes_});
  block.size += got;
  bytes_ += got;
  at_end_ = got < block_bytes_;
  constexpr std::size_t max_block_bytes = std::size_t{1} << 20;
  block_bytes_ = std::min(2 * block_bytes_, max_block_bytes);
  if (file_.is_gzip() && bytes_ > options_.max_inflated_bytes)
    fail<DataError>(file_.name(), " line ", line_, ": want at most ", options_.max_inflated_bytes,
                    " bytes after decompression; got more; decompress the file, or raise max_inflated_bytes");
}

// Follows the blank lines at the end of the block.
void CsvBlocks::note_blank_end(const CsvBlock& block) {
  std::string_view text = block.text();
  std::int64_t first_blank = line_;
  while (!text.empty()) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    const std::size_t start = text.rfind('\n') + 1;
    if (!is_blank_line(text.substr(start))) break;
    --first_blank;
    text = text.substr(0, start);
  }
  if (!text.empty()) blank_ = 0;
  if (blank_ == 0 && first_blank < line_) blank_ = first_blank;
}

}  // namespace handrail::train
