#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <handrail/train/data/internal/csv_file.h>
#include <handrail/train/data/table/internal/missing_cells.h>

namespace handrail::train {

/// The largest number of different texts of a column. One with more is an identifier, not a category.
inline constexpr std::size_t max_texts = 10'000;

/// The kinds of the cells of a column, its texts and how often each occurs. Text is std::string, or a view while a
/// block is in memory.
template <class Text>
struct ColumnScan {
  std::int64_t numbers = 0, texts = 0, missing = 0;
  Text first_text = {};  // that is no number
  std::int64_t first_text_line = 0;
  std::unordered_map<Text, std::int64_t> counts = {};
  bool too_many = false;  // different ones; then they are no longer counted

  void count(const Text& text, std::int64_t times) {
    if (too_many) return;
    counts[text] += times;
    if (counts.size() <= max_texts) return;
    too_many = true;
    counts = {};
  }
};

/// What a scan does with a column.
struct ColumnPlan {
  bool ignored = false;
  bool names = false;  // its numbers are names, too
};

/// What a scan of a file found.
struct TableScan {
  Index rows = 0;
  std::vector<ColumnScan<std::string>> columns = {};
};
/// Scans all rows. plans: one for each column. Throws as CsvFile::read does.
TableScan scan_columns(const CsvFile& file, const std::vector<ColumnPlan>& plans, const MissingCells& missing);

}  // namespace handrail::train
