#include <handrail/train/report/html/internal/html_report.h>

#include <array>
#include <chrono>
#include <ctime>
#include <string_view>

#include <handrail/core/error.h>
#include <handrail/train/files/pinned_files.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/html/internal/metrics_reader.h>
#include <handrail/train/report/html/internal/pages/run_page.h>

namespace handrail::train::html {
namespace {

// "2024-05-31 14:07 UTC".
std::string time_text() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  std::array<char, 64> text{};
  if (!gmtime_r(&now, &parts)) return "an unknown time";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)};
}

// A process that was killed while it wrote has left a file behind.
void remove_temporaries(FileSystem& files, const std::filesystem::path& path) {
  for (const std::string& name : list_directory(files, path.parent_path(), "HtmlReport"))
    if (is_temporary_name(name, HtmlReport::file_name)) files.unlink((path.parent_path() / name).c_str());
}

}  // namespace

void HtmlReport::resume(FileSystem& files, const std::filesystem::path& csv, std::uint64_t length, std::int64_t step) {
  record_.resumed_at = step;
  try {
    remove_temporaries(files, path_);
    RecordFiller filler(record_);
    const MetricsRead read = read_metrics(files, csv, length, [&](const MetricRow& row) {
      if (row.step <= step) filler.add(row);
    });
    filler.finish();
    if (read.rows == 0)
      record_.earlier_note = concat("The figures up to step ", grouped(step), " are missing: metrics.csv has none.");
    else if (read.malformed > 0)
      record_.earlier_note =
          concat("Some figures up to step ", grouped(step), " are missing: ", counted(read.malformed, "line"),
                 " of metrics.csv could not be read.");
  } catch (const Error& error) {
    record_.earlier_note = concat("The figures up to step ", grouped(step), " are missing: ", error.what());
  }
}

void HtmlReport::resume_without_log(std::int64_t step) {
  record_.resumed_at = step;
  record_.earlier_note = concat("The figures up to step ", grouped(step), " are missing: metrics_csv is off.");
}

void HtmlReport::evaluated(const EvaluationStats& stats) {
  const Evaluation& evaluation = stats.evaluation;
  if (evaluation.samples == 0) return;
  record_.figures.add(stats.step, "val_loss", evaluation.loss);
  if (evaluation.measured_accuracy) record_.figures.add(stats.step, "val_accuracy", *evaluation.measured_accuracy);
  record_.figures.add(stats.step, "val_", evaluation.metrics);
}

void HtmlReport::epoch_end(const EpochStats& stats) {
  record_.figures.add(stats.step, "train_loss_epoch", stats.train_loss);
  record_.figures.add(stats.step, "train_", stats.metrics);
}

std::string HtmlReport::write(FileSystem& files, const FitEnd& result, bool is_over) const {
  const std::string page = run_page({.record = record_, .result = result, .is_over = is_over, .written = time_text()});
  try {
    const std::string_view pieces[] = {page};
    write_file(files, path_, pieces, "HtmlReport");
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return {};
}

std::string HtmlReport::write_again(const FitEnd& result) const {
  PinnedDirectory directory;
  directory.pin(path_.parent_path().string());
  if (directory.descriptor() < 0) return concat("'", path_.parent_path().string(), "' is gone, or a link");
  PinnedFiles files(directory);
  return write(files, result, true);
}

}  // namespace handrail::train::html
