#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <handrail/train/files/file_system.h>
#include <handrail/train/report/html/internal/record.h>

namespace handrail::train::html {

/// A line of metrics.csv: see MetricsLog.
struct MetricRow {
  std::int64_t step, epoch;
  std::string name;
  double value;
};
/// Reads a line without its end into `row`. Returns false, and leaves the row in any state, when it is not one: not
/// four cells, steps that are no whole numbers from 0 on, a value that is no number.
bool parse_metric_row(std::string_view line, MetricRow& row);

/// How many lines of a file could be read.
struct MetricsRead {
  std::int64_t rows = 0, malformed = 0;
};
/// Calls visit(row) for every line of the first `max_bytes` bytes of a file. Lines that are malformed are counted; one
/// may have at most 64 KiB. The file is read in pieces. Throws DataError, naming the path, when it cannot be read, is a
/// link or is not a regular file.
MetricsRead read_metrics(FileSystem& files, const std::filesystem::path& path, std::uint64_t max_bytes,
                         const std::function<void(const MetricRow&)>& visit);

/// Adds the lines of metrics.csv to a record, in their order.
class RecordFiller {
 public:
  explicit RecordFiller(Record& record) : record_(record) {}
  RecordFiller(const RecordFiller&) = delete;
  RecordFiller& operator=(const RecordFiller&) = delete;

  void add(const MetricRow& row);
  /// To be called after the last row. A destructor could not do it: it takes memory.
  void finish();

 private:
  Record& record_;
  std::int64_t step_ = 0;  // of the layers that are being read
  std::vector<std::string> names_;
  std::vector<double> norms_, ratios_;
};

}  // namespace handrail::train::html
