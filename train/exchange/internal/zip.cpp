#include <handrail/train/exchange/internal/zip.h>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::string_view local_mark{"PK\3\4", 4}, central_mark{"PK\1\2", 4}, end_mark{"PK\5\6", 4};
constexpr std::size_t local_bytes = 30, central_bytes = 46, end_bytes = 22;
constexpr std::uint64_t max_size = 0xFFFFFFFE, max_members = 0xFFFE;  // all ones would mean: see ZIP64
constexpr unsigned stored = 0, deflated = 8, encrypted_flag = 1, utf8_flag = 1U << 11;
constexpr unsigned version = 20;                // 2.0: deflated data and folders
constexpr unsigned first_of_january_1980 = 33;  // the earliest date: archives of the same tensors are the same

void put(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

std::uint64_t get(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::uint32_t crc_of(std::string_view bytes, std::uint32_t before = 0) {
  if (bytes.empty()) return before;  // data() may be null
  return static_cast<std::uint32_t>(crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// What local and central headers have in common, from the version that is needed on.
std::string common_fields(const ZipMember& member, std::uint64_t size, const std::string& who) {
  if (member.name.size() > 0xFFFF) fail<OptionError>(who, ": want names of at most 65,535 bytes; got a longer one");
  std::uint32_t crc = 0;
  for (const std::string_view piece : member.pieces) crc = crc_of(piece, crc);
  const bool ascii = std::ranges::all_of(member.name, [](char c) { return static_cast<unsigned char>(c) < 128; });
  std::string bytes;
  put(bytes, version, 2);
  put(bytes, ascii ? 0 : utf8_flag, 2);
  put(bytes, stored, 2);
  put(bytes, 0, 2);
  put(bytes, first_of_january_1980, 2);
  put(bytes, crc, 4);
  put(bytes, size, 4);
  put(bytes, size, 4);
  put(bytes, member.name.size(), 2);
  put(bytes, 0, 2);
  return bytes;
}

// A member as the directory describes it.
struct Entry {
  std::string name;
  unsigned flags, method;
  std::uint32_t crc;
  std::uint64_t stored_size, size, header_at;
  std::uint64_t data_at = 0;
};

class Archive {
 public:
  Archive(std::string_view file, const std::string& who) : file_(file), who_(who) {}

  std::vector<Entry> read_directory() {
    const std::size_t end = find_end();
    const std::uint64_t count = get(file_, end + 10, 2), size = get(file_, end + 12, 4), at = get(file_, end + 16, 4);
    if (get(file_, end + 4, 4) != 0 || get(file_, end + 8, 2) != count) damaged("it has several parts");
    if (at > max_size || count > max_members) damaged("it needs ZIP64");
    if (at + size != end) damaged("its directory is not where it should be");
    directory_at_ = at;
    std::vector<Entry> entries;
    std::uint64_t next = at;
    for (std::uint64_t i = 0; i < count; ++i) entries.push_back(read_entry(next, end));
    if (next != end) damaged("its directory has a rest");
    check_overlaps(entries);
    return entries;
  }

  std::string content(const Entry& entry) const {
    const std::string_view data = file_.substr(entry.data_at, entry.stored_size);
    std::string bytes = entry.method == stored ? std::string(data) : inflated(entry, data);
    if (crc_of(bytes) != entry.crc) damaged(entry, "its checksum differs");
    return bytes;
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    fail<DataError>(who_, ": want a ZIP archive that is complete; ", what);
  }
  [[noreturn]] void damaged(const Entry& entry, const std::string& what) const {
    damaged("member " + quoted_name(entry.name) + ": " + what);
  }

  // The record at the end, which only a comment follows.
  std::size_t find_end() const {
    for (std::size_t at = file_.size() < end_bytes ? 0 : file_.size() - end_bytes + 1; at-- > 0;) {
      const std::size_t comment = file_.size() - end_bytes - at;
      if (comment > 0xFFFF) break;
      if (file_.substr(at).starts_with(end_mark) && get(file_, at + 20, 2) == comment) return at;
    }
    damaged("it has no directory at its end");
  }

  Entry read_entry(std::uint64_t& next, std::uint64_t end) {
    if (end - next < central_bytes || !file_.substr(next).starts_with(central_mark)) damaged("its directory is cut");
    const std::string_view header = file_.substr(next);
    const std::uint64_t name_size = get(header, 28, 2);
    const std::uint64_t size = central_bytes + name_size + get(header, 30, 2) + get(header, 32, 2);
    if (end - next < size) damaged("its directory is cut");
    Entry entry{.name = std::string(header.substr(central_bytes, name_size)),
                .flags = static_cast<unsigned>(get(header, 8, 2)),
                .method = static_cast<unsigned>(get(header, 10, 2)),
                .crc = static_cast<std::uint32_t>(get(header, 16, 4)),
                .stored_size = get(header, 20, 4),
                .size = get(header, 24, 4),
                .header_at = get(header, 42, 4)};
    next += size;
    check(entry);
    return entry;
  }

  void check(Entry& entry) const {
    if ((entry.flags & encrypted_flag) != 0) damaged(entry, "it is encrypted");
    if (entry.stored_size > max_size || entry.size > max_size || entry.header_at > max_size)
      damaged(entry, "it needs ZIP64");
    if (entry.method != stored && entry.method != deflated)
      damaged(entry, concat("want it stored or deflated; got method ", entry.method));
    if (entry.method == stored && entry.stored_size != entry.size) damaged(entry, "its sizes contradict each other");
    // No deflated bit becomes more than 129 bytes: 258 bytes take two bits at least.
    constexpr std::uint64_t max_ratio = 1032;
    if (entry.size > max_ratio * entry.stored_size) damaged(entry, "it cannot inflate to the size that it gives");
    if (entry.header_at > directory_at_ || directory_at_ - entry.header_at < local_bytes) damaged(entry, "it is cut");
    const std::string_view header = file_.substr(entry.header_at);
    const std::uint64_t name_size = get(header, 26, 2);
    entry.data_at = entry.header_at + local_bytes + name_size + get(header, 28, 2);
    if (!header.starts_with(local_mark) || entry.data_at > directory_at_ ||
        directory_at_ - entry.data_at < entry.stored_size)
      damaged(entry, "it is cut");
    if (header.substr(local_bytes, name_size) != entry.name) damaged(entry, "it has another name at its place");
  }

  void check_overlaps(const std::vector<Entry>& entries) const {
    std::vector<const Entry*> sorted;
    sorted.reserve(entries.size());
    for (const Entry& entry : entries) sorted.push_back(&entry);
    std::ranges::sort(sorted, {}, &Entry::header_at);
    for (std::size_t i = 1; i < sorted.size(); ++i)
      if (sorted[i]->header_at < sorted[i - 1]->data_at + sorted[i - 1]->stored_size)
        damaged(*sorted[i], "it overlaps another one");
  }

  std::string inflated(const Entry& entry, std::string_view data) const {
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
    const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
    std::string bytes(entry.size, '\0');
    // One byte more would be too many: inflate is told of it, so that it comes to the end of the data.
    char surplus = 0;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));  // zlib does not write to it
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
    stream.avail_out = static_cast<uInt>(bytes.size());
    int result = inflate(&stream, Z_FINISH);
    if (result != Z_STREAM_END && stream.avail_out == 0) {
      stream.next_out = reinterpret_cast<Bytef*>(&surplus);
      stream.avail_out = 1;
      result = inflate(&stream, Z_FINISH);
    }
    if (result != Z_STREAM_END || stream.total_out != entry.size || stream.avail_in != 0)
      damaged(entry, "its data does not inflate to the size that it gives");
    return bytes;
  }

  std::string_view file_;
  const std::string& who_;
  std::uint64_t directory_at_ = 0;
};

}  // namespace

ZipFrame zip_frame(const std::vector<ZipMember>& members, const std::string& who) {
  if (members.size() > max_members) fail<OptionError>(who, ": want at most 65,534 tensors; got ", members.size());
  ZipFrame frame;
  std::uint64_t at = 0;
  std::string directory;
  for (const ZipMember& member : members) {
    std::uint64_t size = 0;
    for (const std::string_view piece : member.pieces) size += piece.size();
    const std::string common = common_fields(member, size, who);
    frame.local_headers.push_back(std::string(local_mark) + common + member.name);
    directory += central_mark;
    put(directory, version, 2);
    directory += common;
    put(directory, 0, 8);  // no comment, the first part, no attributes
    put(directory, 0, 2);
    put(directory, at, 4);
    directory += member.name;
    at += frame.local_headers.back().size() + size;
    if (at + directory.size() > max_size) fail<OptionError>(who, ": want less than 4 GB in a file; got more");
  }
  frame.end = directory + std::string(end_mark);
  put(frame.end, 0, 4);
  put(frame.end, members.size(), 2);
  put(frame.end, members.size(), 2);
  put(frame.end, directory.size(), 4);
  put(frame.end, at, 4);
  put(frame.end, 0, 2);
  return frame;
}

void unzip(std::string_view file, const std::string& who,
           const std::function<void(const std::string& name, std::string_view content)>& take) {
  Archive archive(file, who);
  for (const Entry& entry : archive.read_directory()) take(entry.name, archive.content(entry));
}

}  // namespace handrail::train
