#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <handrail/train/data/internal/csv_file.h>
#include <handrail/train/data/table/internal/missing_cells.h>
#include <handrail/train/data/table/table_encoder.h>

namespace handrail::train {

/// The finite number that the cell holds, in double.
std::optional<double> number_of(std::string_view cell);
/// The name of a class that is a number. 1 and 1.0 have the same one.
std::string number_name(double value);

/// Encodes the rows of one file by an encoder, which must outlive it. Private: not installed.
/// Threads: const functions may be called by several threads at once.
class RowEncoder {
 public:
  /// columns: those of the file. targets: whether they are wanted. who: how messages start, such as "load: 'file'".
  /// Throws DataError when a column is missing.
  RowEncoder(const TableEncoder& encoder, const std::vector<std::string>& columns, bool targets,
             const std::string& who);

  /// Writes the inputs and, when targets are wanted, the targets of a row. Throws DataError naming the cell.
  void encode(const CsvLine& line, Index row, Scalar* inputs, Scalar* targets) const;

 private:
  using Positions = std::unordered_map<std::string_view, Index>;
  struct Column {
    const TableColumn* column = nullptr;  // null: ignored
    Index first = 0;                      // its first input, or its target
    Positions values = {};                // of a category
  };
  void place(std::size_t at, const TableColumn& column, Index first);
  void encode_number(const CsvLine& line, std::size_t at, Index row, Scalar* inputs) const;
  void encode_category(const CsvLine& line, std::size_t at, Index row, Scalar* inputs) const;
  Scalar target(const CsvLine& line, std::size_t at, Index row) const;

  const TableEncoder& encoder_;
  MissingCells missing_;
  Index width_;
  std::vector<Column> columns_;  // of the file
  Positions classes_;
};

/// Encodes all rows of a file. inputs: [rows, width]; targets: [rows, ...], or undefined when they are not wanted.
void encode_rows(const CsvFile& file, const TableEncoder& encoder, const Tensor& inputs, const Tensor& targets);

}  // namespace handrail::train
