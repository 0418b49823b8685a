#include <handrail/train/data/csv.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/data/internal/csv_file.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// Puts the numbers of a block where they belong.
class NumberBlock : public CsvBlockReader {
 public:
  NumberBlock(Scalar* values, Index rows, Index columns, const std::string& file)
      : values_(values), rows_(rows), columns_(columns), file_(file) {}

  void take(Index row, const CsvLine& line) override {
    if (row >= rows_) fail<DataError>(file_, ": want the same rows each time; the file changed while it was read");
    for (Index i = 0; i < columns_; ++i)
      values_[row * columns_ + i] =
          line.number_at(static_cast<std::size_t>(i), row, "clean the data, or set allow_non_finite = true");
    ++taken;
  }
  Index taken = 0;

 private:
  Scalar* values_;
  Index rows_, columns_;
  const std::string& file_;
};

}  // namespace

CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  const CsvFile file("read_csv", path, options);
  const Index rows = file.count(), columns = std::ssize(file.columns());
  CsvTable table{
      .columns = file.columns(), .values = Tensor({rows, columns}), .path = path, .first_line = file.first_line()};
  Scalar* const values = table.values.mutable_data();
  Index taken = 0;
  file.read([&] { return std::make_unique<NumberBlock>(values, rows, columns, file.name()); },
            [&](CsvBlockReader& block) { taken += static_cast<NumberBlock&>(block).taken; });
  if (taken != rows) fail<DataError>(file.name(), ": want the same rows each time; the file changed while it was read");
  table.notes = coded_value_notes(table.values, [&](Index column) {
    return concat("column ", column + 1, ' ', excerpt(table.columns[static_cast<std::size_t>(column)]));
  });
  return table;
}

Index CsvTable::column(std::string_view name) const {
  return static_cast<Index>(find_column(columns, name, concat("CsvTable: '", path.string(), "'")));
}

TensorDataset CsvTable::dataset(std::string_view target, Target kind, TensorDatasetOptions options) const {
  if (values.shape().rank() != 2 || values.shape()[1] != std::ssize(columns))
    fail<ShapeError>("CsvTable: want values [N, ", columns.size(), "], a column for each name; got ", values.shape());
  const Index skip = column(target), rows = values.shape()[0], cols = values.shape()[1];
  if (cols < 2)
    fail<DataError>("CsvTable: '", path.string(), "': want columns besides the target ", excerpt(target), "; got none");
  const Tensor inputs({rows, cols - 1});
  const Tensor targets(kind == Target::class_index ? Shape{rows} : Shape{rows, 1});
  const Scalar* in = values.data();
  Scalar* x = inputs.mutable_data();
  Scalar* y = targets.mutable_data();
  for (Index row = 0; row < rows; ++row, in += cols) {
    x = std::copy(in, in + skip, x);
    x = std::copy(in + skip + 1, in + cols, x);
    y[row] = in[skip];
    if (kind == Target::class_index && !(is_finite(y[row]) && y[row] >= 0 && y[row] == std::floor(y[row])))
      throw DataError(concat("CsvTable: '", path.string(), "' line ", first_line + row, " (row ", row, "), column ",
                             skip + 1, " ", excerpt(target), ": want a class index, a whole number >= 0; got ", y[row],
                             "; for regression use Target::value"),
                      row);
  }
  return {inputs, targets, options};
}

}  // namespace handrail::train
