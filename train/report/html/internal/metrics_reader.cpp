#include <handrail/train/report/html/internal/metrics_reader.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include <handrail/core/error.h>

namespace handrail::train::html {
namespace {

constexpr std::size_t piece_bytes = 1 << 16;

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// Takes the name, which may be quoted, from the start of the text, and the comma after it.
bool take_name(std::string_view& text, std::string& name) {
  name.clear();
  if (text.empty() || text.front() != '"') {
    const std::size_t comma = text.find(',');
    if (comma == std::string_view::npos) return false;
    name = text.substr(0, comma);
    text.remove_prefix(comma + 1);
    return !name.empty();
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != '"') {
      name += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '"') {
      name += text[i++];
    } else {
      if (i + 1 >= text.size() || text[i + 1] != ',') return false;
      text.remove_prefix(i + 2);
      return true;
    }
  }
  return false;
}

// The descriptor of a regular file at the path.
int open_regular(FileSystem& files, const std::filesystem::path& path) {
  const int file = open_file(files, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  struct stat status {};
  if (file >= 0 && files.status(file, status) == 0 && S_ISREG(status.st_mode)) return file;
  const int error = file < 0 ? errno : 0;
  if (file >= 0) files.close(file);
  if (error == 0 || error == ELOOP)
    fail<DataError>("read_metrics: want a regular file at '", path.string(),
                    "'; got a link, directory, pipe or device");
  errno = error;
  fail<DataError>("read_metrics: cannot open '", path.string(), "': ", errno_text());
}

}  // namespace

bool parse_metric_row(std::string_view line, MetricRow& row) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  for (std::int64_t* number : {&row.step, &row.epoch}) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos || !parse_number(line.substr(0, comma), *number) || *number < 0) return false;
    line.remove_prefix(comma + 1);
  }
  constexpr std::int64_t max_step = std::int64_t{1} << 53;  // a double has it exactly
  return take_name(line, row.name) && parse_number(line, row.value) && row.step <= max_step;
}

MetricsRead read_metrics(FileSystem& files, const std::filesystem::path& path, std::uint64_t max_bytes,
                         const std::function<void(const MetricRow&)>& visit) {
  const OpenFile file(files, open_regular(files, path));
  MetricsRead read;
  MetricRow row;
  bool is_first = true, is_too_long = false;
  const auto take_line = [&](std::string_view line) {
    const bool is_header = std::exchange(is_first, false) && line.starts_with("step,epoch,name,value");
    if (is_header || line.empty()) return;
    if (!std::exchange(is_too_long, false) && parse_metric_row(line, row)) {
      ++read.rows;
      visit(row);
    } else {
      ++read.malformed;
    }
  };
  std::string text;  // what is not a whole line yet
  std::string piece(piece_bytes, '\0');
  while (max_bytes > 0) {
    const ssize_t got = files.read(file.get(), piece.data(), std::min<std::uint64_t>(max_bytes, piece.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail<DataError>("read_metrics: cannot read '", path.string(), "': ", errno_text());
    if (got == 0) break;
    max_bytes -= static_cast<std::uint64_t>(got);
    text.append(piece, 0, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      take_line(std::string_view(text).substr(begin, end - begin));
    text.erase(0, begin);
    if (text.size() > piece_bytes) {
      is_too_long = true;
      text.resize(1);
    }
  }
  if (!text.empty()) take_line(text);
  return read;
}

void RecordFiller::add(const MetricRow& row) {
  constexpr std::size_t max_layers = 4096;
  constexpr std::string_view norm = "grad_norm/", ratio = "update_ratio/";
  if (row.name.starts_with(norm)) {
    if (row.step != step_) finish();
    step_ = row.step;
    if (names_.size() == max_layers) return;
    names_.push_back(row.name.substr(norm.size()));
    norms_.push_back(row.value);
    ratios_.push_back(0);
  } else if (row.name.starts_with(ratio)) {
    if (!names_.empty() && row.step == step_ && names_.back() == std::string_view(row.name).substr(ratio.size()))
      ratios_.back() = row.value;
  } else if (row.name.find('/') != std::string::npos &&
             (row.name.starts_with("grad_") || row.name.starts_with("dead_"))) {
    return;  // another measurement of a layer
  } else if (row.name == "train_loss") {
    record_.steps.loss.add(row.step, row.value);
  } else if (row.name == "lr") {
    record_.steps.lr.add(row.step, row.value);
  } else if (row.name == "grad_norm") {
    record_.steps.grad_norm.add(row.step, row.value);
  } else {
    record_.figures.add(row.step, row.name, row.value);
  }
}

void RecordFiller::finish() {
  if (!names_.empty()) record_.layers.add(step_, names_, norms_, ratios_);
  names_.clear();
  norms_.clear();
  ratios_.clear();
}

}  // namespace handrail::train::html
