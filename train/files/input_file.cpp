#include <handrail/train/files/input_file.h>

#include <sys/stat.h>

#include <algorithm>
#include <new>

#include <handrail/core/error.h>
#include <handrail/train/files/file_system.h>

namespace handrail::train {
namespace {

constexpr std::size_t buffer_size = std::size_t{64} << 10;
constexpr std::uint8_t gzip_magic[] = {0x1F, 0x8B};

}  // namespace

InputFile::InputFile(std::string_view reader, const std::filesystem::path& path)
    : name_(concat(reader, ": '", path.string(), "'")), file_(std::fopen(path.c_str(), "rbe")) {
  if (!file_) fail<DataError>(name_, ": cannot open the file: ", errno_text());
  struct stat status {};
  if (fstat(fileno(file_.get()), &status) != 0) fail<DataError>(name_, ": cannot read the file: ", errno_text());
  if (S_ISDIR(status.st_mode)) fail<DataError>(name_, ": want a file; got a directory");
  regular_ = S_ISREG(status.st_mode);
  buffer_.resize(buffer_size);
  refill();
  if (end_ >= 2 && std::equal(std::begin(gzip_magic), std::end(gzip_magic), buffer_.begin()))
    start_inflating();
  else if (regular_)
    size_ = static_cast<std::uint64_t>(status.st_size);
}

std::size_t InputFile::read(std::span<std::uint8_t> out) { return inflater_ ? read_gzip(out) : read_plain(out); }

bool InputFile::refill() {
  next_ = 0;
  end_ = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
  if (end_ < buffer_.size() && std::ferror(file_.get()) != 0)
    fail<DataError>(name_, " byte ", refilled_ + end_, ": cannot read the file: ", errno_text());
  refilled_ += end_;
  return end_ > 0;
}

void InputFile::start_inflating() {
  auto stream = std::make_unique<z_stream>();
  constexpr int largest_window = 15, gzip_only = 16;
  if (inflateInit2(stream.get(), largest_window + gzip_only) != Z_OK) throw std::bad_alloc();
  inflater_.reset(stream.release());
}

std::size_t InputFile::read_plain(std::span<std::uint8_t> out) {
  std::size_t done = 0;
  while (done < out.size() && (next_ < end_ || refill())) {
    const std::size_t count = std::min(out.size() - done, end_ - next_);
    std::copy_n(buffer_.data() + next_, count, out.data() + done);
    next_ += count;
    done += count;
  }
  return done;
}

std::size_t InputFile::read_gzip(std::span<std::uint8_t> out) {
  constexpr std::size_t max_inflated_at_once = 1 << 30;  // zlib counts in 32 bits
  std::size_t done = 0;
  while (done < out.size()) {
    if (next_ == end_ && !refill()) {
      if (!in_member_) break;
      fail<DataError>(name_, " byte ", offset(), ": the gzip data ends early: the file is truncated");
    }
    if (!in_member_) begin_member();
    const auto room = static_cast<uInt>(std::min(out.size() - done, max_inflated_at_once));
    inflater_->next_in = buffer_.data() + next_;
    inflater_->avail_in = static_cast<uInt>(end_ - next_);
    inflater_->next_out = out.data() + done;
    inflater_->avail_out = room;
    const int status = inflate(inflater_.get(), Z_NO_FLUSH);
    next_ = end_ - inflater_->avail_in;
    done += room - inflater_->avail_out;
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status == Z_STREAM_END)
      in_member_ = false;
    else if (status != Z_OK)
      fail<DataError>(name_, " byte ", offset(),
                      ": the gzip data is damaged: ", inflater_->msg ? inflater_->msg : "no valid stream",
                      "; download or copy the file again");
  }
  return done;
}

void InputFile::begin_member() {
  if (buffer_[next_] != gzip_magic[0])
    fail<DataError>(name_, " byte ", offset(), ": bytes that are not gzip data follow the gzip data");
  inflateReset(inflater_.get());
  in_member_ = true;
}

}  // namespace handrail::train
