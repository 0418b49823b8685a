#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/train/files/log_file.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/internal/sinks/figures.h>
#include <handrail/train/report/sinks.h>

namespace handrail::train {
namespace {

// The columns of a header, as their cells are written: a comma within quotes is part of a name.
std::vector<std::string> columns_in(std::string_view line) {
  std::vector<std::string> columns(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted)
      columns.emplace_back();
    else
      columns.back() += c;
  }
  return columns;
}

// The length of the lines up to that step; a line that is not whole does not count.
std::size_t length_to_step(std::string_view text, std::int64_t last_step) {
  std::size_t length = text.find('\n') + 1;
  while (true) {
    const std::size_t end = text.find('\n', length);
    if (end == std::string_view::npos) return length;
    std::int64_t step = 0;
    std::from_chars(text.data() + length, text.data() + end, step);
    if (step > last_step) return length;
    length = end + 1;
  }
}

class CsvLog final : public LogSink {
 public:
  explicit CsvLog(const std::filesystem::path& path) : file_("csv_log", path) {}

  void check() const override { file_.check(); }
  std::string take_problem() override { return file_.take_problem(); }

  void fit_start(const FitStart& event) override {
    columns_ = {"step", "epoch", "train_loss", "ema_loss", "lr", "grad_norm", "samples_per_second"};
    columns_in_file_ = 0;
    row_ = {};
    steps_ = {};
    file_.open(event.resumed);
    if (event.resumed) take_up(event.step);
  }
  void train_start(const TrainStart&) override { steps_.start(); }
  void step_end(const StepStats& stats) override {
    if (row_.step != 0 && row_.step != stats.step) write_row();
    steps_.add(stats);
  }
  void layers(const LayerReport&) override { measure_step(steps_.step(), steps_.last().epoch); }
  void evaluated(const EvaluationStats& stats) override {
    measure_step(stats.step, stats.epoch);
    add(figures_of(stats.evaluation, Names::columns));
  }
  void epoch_end(const EpochStats& stats) override {
    measure_step(stats.step, stats.epoch);
    add(figures_of(stats, Names::columns));
  }
  void fit_end(const FitEnd&) override {
    write_row();
    file_.close();
  }

 private:
  // Makes the row of that step the one that gets figures. It begins with those of the step.
  void measure_step(std::int64_t step, Index epoch) {
    if (row_.step != step) write_row();
    const bool is_new = row_.cells.empty();
    row_.step = step;
    row_.epoch = epoch;
    if (is_new && steps_.step() == step && steps_.last().updated) add(steps_.take(Names::columns));
  }

  void add(const Figures& figures) {
    for (const MetricValue& figure : figures) {
      const std::string name = csv_cell(figure.name);
      const auto column = static_cast<std::size_t>(std::ranges::find(columns_, name) - columns_.begin());
      if (column == columns_.size()) columns_.push_back(name);
      row_.cells.resize(columns_.size());
      row_.cells[column] = figure.value;
    }
  }

  // Often comes in a step that is not logged, the one after the step of the row: it makes no call of the heap once
  // there was a row.
  void write_row() {
    if (row_.cells.empty()) return;
    if (file_.remake()) columns_in_file_ = 0;
    if (columns_in_file_ != columns_.size()) write_header();
    if (columns_in_file_ > 0) write_cells();  // without a header nobody could read them
    row_.step = 0;
    row_.cells.clear();
  }

  void write_cells() {
    line_.clear();
    append_exact(line_, row_.step);
    line_ += ',';
    append_exact(line_, row_.epoch);
    for (std::size_t column = 2; column < columns_in_file_; ++column) {
      line_ += ',';
      if (column < row_.cells.size() && row_.cells[column]) append_exact(line_, *row_.cells[column]);
    }
    line_ += '\n';
    file_.write(line_);
  }

  // Writes the present header, with the rows that are there already: these get empty cells in the new columns.
  void write_header() {
    std::string text;
    for (const std::string& column : columns_) text += (text.empty() ? "" : ",") + column;
    text += '\n';
    if (columns_in_file_ > 0) {
      const std::string old = file_.read();
      const std::string added(columns_.size() - columns_in_file_, ',');
      for (std::size_t at = old.find('\n') + 1, end; (end = old.find('\n', at)) != std::string::npos; at = end + 1)
        text.append(old, at, end - at).append(added).append(1, '\n');
      if (!file_.replace(text)) return;  // the rows are written without the new columns
    } else if (!file_.write(text)) {
      return;
    }
    columns_in_file_ = columns_.size();
  }

  // Continues a file: with its columns, after the row of that step.
  void take_up(std::int64_t step) {
    const std::string text = file_.read();
    if (text.find('\n') == std::string::npos) return file_.cut(0);
    const auto columns = columns_in(std::string_view(text).substr(0, text.find('\n')));
    if (columns.size() < columns_.size() || !std::equal(columns_.begin(), columns_.end(), columns.begin())) {
      file_.note(concat("csv_log: want a file that csv_log has written at '", file_.path().string(),
                        "'; it has other columns; the rows of this run are missing"));
      return file_.close();
    }
    columns_ = columns;
    columns_in_file_ = columns.size();
    if (const std::size_t length = length_to_step(text, step); length < text.size()) file_.cut(length);
  }

  // The cells of a step, of which those of the first two columns are not used. Without any there is no row.
  struct Row {
    std::int64_t step = 0;
    Index epoch = 0;
    std::vector<std::optional<double>> cells = {};
  };

  LogFile file_;
  std::vector<std::string> columns_;  // as they are written: names that need quotes have them
  std::size_t columns_in_file_ = 0;   // 0 before the header is written
  StepFigures steps_;
  Row row_;
  std::string line_;
};

}  // namespace

std::shared_ptr<LogSink> csv_log(const std::filesystem::path& path) { return std::make_shared<CsvLog>(path); }

}  // namespace handrail::train
