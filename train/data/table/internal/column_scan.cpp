#include <memory>
#include <string_view>
#include <tuple>
#include <utility>

#include <handrail/train/data/table/internal/column_scan.h>

namespace handrail::train {
namespace {

// Whether parse_number takes the cell for a number, but without its value: most cells need one look at each character.
bool is_number(std::string_view cell) {
  const char *at = cell.data(), *const end = at + cell.size();
  const auto digits = [&] {
    const char* const from = at;
    while (at != end && *at >= '0' && *at <= '9') ++at;
    return at - from;
  };
  if (at != end && (*at == '-' || *at == '+')) ++at;
  auto count = digits();
  if (at != end && *at == '.') {
    ++at;
    count += digits();
  }
  if (at == end && count > 0) return true;
  Scalar ignored = 0;
  return parse_number(cell, ignored) != CellKind::text;
}

class ScanBlock : public CsvBlockReader {
 public:
  ScanBlock(const std::vector<ColumnPlan>& plans, const MissingCells& missing)
      : plans_(plans), missing_(missing), columns_(plans.size()) {}

  void take(Index, const CsvLine& line) override {
    ++rows_;
    for (std::size_t at = 0; at < columns_.size(); ++at) {
      if (plans_[at].ignored) continue;
      auto& column = columns_[at];
      const std::string_view cell = line.cells()[at];
      if (missing_.contains(cell)) {
        ++column.missing;
      } else if (is_number(cell)) {
        ++column.numbers;
        if (plans_[at].names) column.count(cell, 1);
      } else {
        if (column.texts++ == 0) std::tie(column.first_text, column.first_text_line) = std::pair(cell, line.number());
        column.count(cell, 1);
      }
    }
  }
  void add_to(TableScan& sum) const {
    sum.rows += rows_;
    for (std::size_t at = 0; at < columns_.size(); ++at) {
      const auto& from = columns_[at];
      auto& to = sum.columns[at];
      if (to.texts == 0 && from.texts > 0)
        std::tie(to.first_text, to.first_text_line) = std::pair(std::string(from.first_text), from.first_text_line);
      to.numbers += from.numbers;
      to.texts += from.texts;
      to.missing += from.missing;
      if (from.too_many && !std::exchange(to.too_many, true)) to.counts = {};
      for (const auto& [text, times] : from.counts) to.count(std::string(text), times);
    }
  }

 private:
  const std::vector<ColumnPlan>& plans_;
  const MissingCells& missing_;
  std::vector<ColumnScan<std::string_view>> columns_;
  Index rows_ = 0;
};

}  // namespace

TableScan scan_columns(const CsvFile& file, const std::vector<ColumnPlan>& plans, const MissingCells& missing) {
  TableScan scan;
  scan.columns.resize(plans.size());
  file.read([&] { return std::make_unique<ScanBlock>(plans, missing); },
            [&](CsvBlockReader& block) { static_cast<ScanBlock&>(block).add_to(scan); });
  return scan;
}

}  // namespace handrail::train
