#include <handrail/train/report/internal/console_lines.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <utility>

#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::size_t max_cells = 24;
constexpr std::size_t bar_frame = 4;  // " [", ">" and "]"

// Cuts the text to that many columns, never within a character.
void cut(std::string& text, std::size_t columns) {
  while (text_width(text) > columns) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
    if (!text.empty()) text.pop_back();
  }
}

void append_bar(std::string& line, Index done, Index total, std::size_t cells) {
  const auto filled = static_cast<std::size_t>(static_cast<Index>(cells) * std::clamp<Index>(done, 0, total) / total);
  line += " [";
  line.append(filled, '=');
  line += '>';
  line.append(cells - filled, ' ');
  line += ']';
}

enum class Count { none, percent, batches };

// A way to show progress. The first of the layouts that fits is used.
struct Layout {
  std::size_t min_cells;  // of the bar; 0 for no bar
  Count count;
  bool word, val, lr, norm, speed, left;
};
constexpr Layout layouts[] = {
    {.min_cells = 10,
     .count = Count::batches,
     .word = true,
     .val = true,
     .lr = true,
     .norm = true,
     .speed = true,
     .left = true},
    {.min_cells = 6,
     .count = Count::batches,
     .word = true,
     .val = true,
     .lr = true,
     .norm = true,
     .speed = false,
     .left = true},
    {.min_cells = 6,
     .count = Count::batches,
     .word = true,
     .val = true,
     .lr = false,
     .norm = true,
     .speed = false,
     .left = true},
    {.min_cells = 0,
     .count = Count::batches,
     .word = true,
     .val = true,
     .lr = false,
     .norm = true,
     .speed = false,
     .left = true},
    {.min_cells = 0,
     .count = Count::batches,
     .word = true,
     .val = true,
     .lr = false,
     .norm = false,
     .speed = false,
     .left = true},
    {.min_cells = 0,
     .count = Count::percent,
     .word = true,
     .val = true,
     .lr = false,
     .norm = false,
     .speed = false,
     .left = true},
    {.min_cells = 0,
     .count = Count::percent,
     .word = true,
     .val = false,
     .lr = false,
     .norm = false,
     .speed = false,
     .left = true},
    {.min_cells = 0,
     .count = Count::none,
     .word = true,
     .val = false,
     .lr = false,
     .norm = false,
     .speed = false,
     .left = true},
    {.min_cells = 0,
     .count = Count::none,
     .word = false,
     .val = false,
     .lr = false,
     .norm = false,
     .speed = false,
     .left = true},
    {.min_cells = 0,
     .count = Count::none,
     .word = false,
     .val = false,
     .lr = false,
     .norm = false,
     .speed = false,
     .left = false},
};

// Every temporary string here is short enough to be stored without a heap call.
void lay_out(std::string& line, const StepProgress& p, const Layout& layout, std::size_t cells) {
  line.clear();
  if (layout.word) line += "epoch ";
  append_exact(line, p.epoch);
  line += '/';
  append_exact(line, p.epochs);
  if (cells > 0) append_bar(line, p.batch, p.batches, cells);
  if (layout.count != Count::none) line += ' ';
  if (layout.count == Count::percent) {
    append_exact(line, 100 * p.batch / p.batches);
    line += '%';
  } else if (layout.count == Count::batches) {
    append_exact(line, p.batch);
    line += '/';
    append_exact(line, p.batches);
  }
  line += "  loss ";
  line += four_digits(p.loss);
  if (layout.val && p.val_loss) {
    line += "  val ";
    line += four_digits(*p.val_loss);
  }
  if (layout.lr) {
    line += "  lr ";
    line += four_digits(p.lr);
  }
  if (layout.norm) {
    line += "  grad ";
    line += four_digits(p.grad_norm);
  }
  if (layout.speed) {
    line += "  ";
    line += grouped(static_cast<std::int64_t>(p.samples_per_second));
    line += " samples/s";
  }
  if (layout.left) {
    line += "  ";
    line += clock_text(p.seconds_left);
    line += " left";
  }
}

// Joins the parts into lines of at most `columns` columns. All lines but the first are indented.
std::string join(const std::vector<std::string>& parts, const char* separator, std::size_t columns) {
  constexpr std::size_t indent = 2;
  std::string lines;
  std::size_t width = 0;
  for (const std::string& part : parts) {
    const std::size_t added = std::string_view(separator).size() + text_width(part);
    if (width > 0 && columns - std::min(columns, width) < added) {
      lines += '\n';
      lines.append(indent, ' ');
      width = indent;
    } else if (width > 0) {
      lines += separator;
      width += std::string_view(separator).size();
    }
    lines += part;
    width += text_width(part);
  }
  return lines;
}

}  // namespace

void progress_line(std::string& line, const StepProgress& progress, std::size_t columns) {
  for (const Layout& layout : layouts) {
    lay_out(line, progress, layout, 0);
    const bool bar = layout.min_cells > 0;
    const std::size_t width = line.size() + (bar ? bar_frame + layout.min_cells : 0);
    if (width > columns) continue;
    if (bar) lay_out(line, progress, layout, std::min(max_cells, columns - line.size() - bar_frame));
    return;
  }
  if (line.size() > columns) line.resize(columns);
}

std::string epoch_line(const EpochStats& stats, std::optional<double> grad_norm, Index epochs, bool best,
                       std::size_t columns) {
  enum Level { needed, word, train_metric, time, norm, rate };  // the parts with the highest level are left out first
  std::vector<std::pair<Level, std::string>> parts;
  const auto part = [&](Level level, const std::string& name, double value) {
    parts.emplace_back(level, printable(name, LineEnds::escape) + ' ' + four_digits(value));
  };
  part(needed, "loss", stats.train_loss);
  for (const MetricValue& metric : stats.metrics) part(train_metric, "train_" + metric.name, metric.value);
  if (stats.validation) {
    part(needed, "val_loss", stats.validation->loss);
    if (stats.validation->measured_accuracy) part(needed, "val_accuracy", *stats.validation->measured_accuracy);
    for (const MetricValue& metric : stats.validation->metrics) part(needed, "val_" + metric.name, metric.value);
  }
  if (grad_norm) part(norm, "grad_norm", *grad_norm);
  part(rate, "lr", stats.lr);
  const bool fast = stats.seconds < 0.1;
  parts.emplace_back(time, fast ? fixed_form(stats.seconds * 1e3, 1) + " ms" : fixed_form(stats.seconds, 2) + " s");

  // Room for "best" is kept in every line, so that all lines of a run leave out the same parts.
  constexpr std::string_view best_mark = "best", separator = "  ";
  const std::string number = std::to_string(stats.epoch) + '/' + std::to_string(epochs);
  const auto line = [&](int max_level, const char* between, std::size_t limit) {
    std::vector<std::string> chosen{max_level < word ? number : "epoch " + number};
    for (const auto& [level, text] : parts)
      if (level <= max_level) chosen.push_back(text);
    if (best) chosen.emplace_back(best_mark);
    return join(chosen, between, limit);
  };
  for (int max_level = rate; max_level >= word; --max_level) {
    std::string text = line(max_level, separator.data(), unlimited_columns);
    const std::size_t reserved = best ? 0 : separator.size() + best_mark.size();
    if (columns == unlimited_columns || text_width(text) + reserved <= columns) return text;
  }
  return line(needed, " ", columns);
}

std::string activity_line(const Activity& activity, std::size_t columns) {
  constexpr std::size_t min_cells = 6;
  std::string name = activity.what;
  std::string count;
  if (activity.total > 0)
    count = ' ' + grouped(activity.done) + '/' + grouped(activity.total);
  else if (activity.done > 0)
    count = ' ' + grouped(activity.done);
  const std::size_t width = text_width(name) + count.size();
  std::string line = name;
  if (activity.total > 0 && width + bar_frame + min_cells <= columns)
    append_bar(line, activity.done, activity.total, std::min(max_cells, columns - width - bar_frame));
  if (width <= columns) line += count;
  cut(line, columns);
  return line;
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  const auto part = [](std::int64_t value) { return static_cast<long long>(value); };
  std::array<char, 32> text;
  if (whole >= 3600)
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", part(whole / 3600), part(whole / 60 % 60),
                  part(whole % 60));
  else
    std::snprintf(text.data(), text.size(), "%lld:%02lld", part(whole / 60), part(whole % 60));
  return text.data();
}

}  // namespace handrail::train
