#include <algorithm>
#include <charconv>
#include <memory>
#include <system_error>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/data/table/internal/row_encoder.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

[[noreturn]] void refuse_cell(const CsvLine& line, std::size_t at, Index row, const std::string& problem) {
  throw DataError(concat(line.cell_name(at), ": ", problem), row);
}

// Encodes the rows of a block where they belong.
class EncodedBlock : public CsvBlockReader {
 public:
  EncodedBlock(const RowEncoder& encoder, const Tensor& inputs, const Tensor& targets, const std::string& file)
      : encoder_(encoder),
        rows_(inputs.shape()[0]),
        inputs_(inputs.mutable_data()),
        targets_(targets.defined() ? targets.mutable_data() : nullptr),
        width_(inputs.size() / rows_),
        target_width_(targets.defined() ? targets.size() / rows_ : 0),
        file_(file) {}

  void take(Index row, const CsvLine& line) override {
    if (row >= rows_) fail<DataError>(file_, ": want the same rows each time; the file changed while it was read");
    encoder_.encode(line, row, inputs_ + row * width_, targets_ ? targets_ + row * target_width_ : nullptr);
    ++taken;
  }
  Index taken = 0;

 private:
  const RowEncoder& encoder_;
  Index rows_;
  Scalar *inputs_, *targets_;
  Index width_, target_width_;
  const std::string& file_;
};

}  // namespace

std::optional<double> number_of(std::string_view cell) {
  if (cell.size() > 1 && cell[0] == '+' && cell[1] != '-') cell.remove_prefix(1);
  double value = 0;
  const char* const end = cell.data() + cell.size();
  const auto result = std::from_chars(cell.data(), end, value);
  if (result.ec != std::errc{} || result.ptr != end || !is_finite(value)) return std::nullopt;
  return value;
}

std::string number_name(double value) {
  std::string name;
  append_exact(name, value == 0 ? 0.0 : value);  // without the sign of -0
  return name;
}

RowEncoder::RowEncoder(const TableEncoder& encoder, const std::vector<std::string>& columns, bool targets,
                       const std::string& who)
    : encoder_(encoder), missing_(encoder.missing), width_(encoder.width()), columns_(columns.size()) {
  const bool by_name = encoder.csv.header == true && !columns.empty();
  const auto all = encoder.columns.size(), without = all - encoder.targets.size();
  const bool has_targets = by_name || columns.size() == all;
  if (!by_name && columns.size() != all && (targets || columns.size() != without))
    fail<DataError>(who, ": want ", all, " columns", targets ? "" : concat(", or ", without, " without the targets"),
                    "; got ", columns.size());
  std::string lacking;
  std::size_t at = 0;  // without a header, the next column of the file
  Index first = 0;
  for (const TableColumn& column : encoder.columns) {
    const bool is_target = column.role == TableColumn::Role::target;
    if (by_name) at = static_cast<std::size_t>(std::ranges::find(columns, column.name) - columns.begin());
    if (is_target ? targets : column.width() > 0) {
      if (at == columns.size())
        lacking += concat(lacking.empty() ? "" : ", ", excerpt(column.name));
      else
        place(at, column,
              is_target ? std::ranges::find(encoder.targets, column.name) - encoder.targets.begin() : first);
    }
    first += column.width();
    if (!by_name && (has_targets || !is_target)) ++at;
  }
  if (!lacking.empty())
    fail<DataError>(who, ": want the columns that the encoder was fitted on; ", lacking, " lacking");
  for (const std::string& name : encoder.classes) classes_.emplace(name, std::ssize(classes_));
}

void RowEncoder::place(std::size_t at, const TableColumn& column, Index first) {
  columns_[at] = {.column = &column, .first = first};
  for (const std::string& value : column.values) columns_[at].values.emplace(value, first++);
}

void RowEncoder::encode(const CsvLine& line, Index row, Scalar* inputs, Scalar* targets) const {
  std::fill_n(inputs, width_, Scalar{0});
  for (std::size_t at = 0; at < columns_.size(); ++at) {
    const TableColumn* const column = columns_[at].column;
    if (!column) continue;
    if (column->role == TableColumn::Role::number)
      encode_number(line, at, row, inputs);
    else if (column->role == TableColumn::Role::category)
      encode_category(line, at, row, inputs);
    else
      targets[columns_[at].first] = target(line, at, row);
  }
}

void RowEncoder::encode_number(const CsvLine& line, std::size_t at, Index row, Scalar* inputs) const {
  const auto& [column, first, values] = columns_[at];
  const std::string_view cell = line.cells()[at];
  if (!missing_.contains(cell)) {
    inputs[first] = line.number_at(at, row);
    return;
  }
  if (column->missing == 0 && !encoder_.allow_unknown)
    refuse_cell(line, at, row,
                "want a number, as no cell was missing in the file that the encoder was fitted on; got a missing cell; "
                "set allow_unknown = true to take the median");
  inputs[first] = static_cast<Scalar>(column->median);
  if (column->missing > 0) inputs[first + 1] = 1;
}

void RowEncoder::encode_category(const CsvLine& line, std::size_t at, Index row, Scalar* inputs) const {
  const auto& [column, first, values] = columns_[at];
  const std::string_view cell = line.cells()[at];
  const bool missing = missing_.contains(cell);
  const Index others = first + std::ssize(column->values);
  if (const auto found = values.find(cell); !missing && found != values.end())
    inputs[found->second] = 1;
  else if (missing && column->missing > 0)
    inputs[first + column->width() - 1] = 1;
  else if (!missing && column->pooled > 0)
    inputs[others] = 1;
  else if (!encoder_.allow_unknown)
    refuse_cell(line, at, row,
                concat("want one of the ", counted(std::ssize(column->values), "text"),
                       " of the file that the encoder was fitted on; got ", missing ? "a missing cell" : excerpt(cell),
                       "; set allow_unknown = true to leave all its inputs at 0"));
}

Scalar RowEncoder::target(const CsvLine& line, std::size_t at, Index row) const {
  const std::string_view cell = line.cells()[at];
  if (missing_.contains(cell)) refuse_cell(line, at, row, "want a target; got a missing cell; leave the row out");
  if (encoder_.kind == Target::value) return line.number_at(at, row);
  const auto number = encoder_.numeric_classes ? number_of(cell) : std::nullopt;
  const auto found = number ? classes_.find(number_name(*number)) : classes_.find(cell);
  if (found == classes_.end())
    refuse_cell(line, at, row,
                concat("want one of the ", counted(std::ssize(classes_), "class", "classes"),
                       " of the file that the encoder was fitted on; got ", excerpt(cell)));
  return static_cast<Scalar>(found->second);
}

void encode_rows(const CsvFile& file, const TableEncoder& encoder, const Tensor& inputs, const Tensor& targets) {
  const RowEncoder rows(encoder, file.columns(), targets.defined(), file.name());
  Index taken = 0;
  file.read([&] { return std::make_unique<EncodedBlock>(rows, inputs, targets, file.name()); },
            [&](CsvBlockReader& block) { taken += static_cast<EncodedBlock&>(block).taken; });
  if (taken != inputs.shape()[0])
    fail<DataError>(file.name(), ": want the same rows each time; the file changed while it was read");
}

}  // namespace handrail::train
