#include <handrail/train/data/csv.h>

#include <memory>

#include <handrail/core/error.h>
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

}  // namespace handrail::train
