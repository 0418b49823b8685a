#include <algorithm>
#include <functional>
#include <set>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/data/internal/csv_file.h>
#include <handrail/train/data/table/internal/row_encoder.h>
#include <handrail/train/data/table/table_encoder.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

using Role = TableColumn::Role;

Shape target_shape(const TableEncoder& encoder, Index rows) {
  return encoder.kind == Target::class_index ? Shape{rows} : Shape{rows, std::ssize(encoder.targets)};
}

// 'a', 'b', 'c', ... (9 in all)
std::string listed(const std::vector<std::string>& names, std::size_t max_listed) {
  std::string text;
  for (std::size_t i = 0; i < std::min(max_listed, names.size()); ++i)
    text += concat(i ? ", " : "", excerpt(names[i], 20));
  if (names.size() > max_listed) text += concat(", ... (", grouped(std::ssize(names)), " in all)");
  return text;
}

// What becomes of a column, after its name.
std::string fate(const TableColumn& column) {
  constexpr std::size_t max_values = 4;
  const std::string missing = column.missing == 0 ? "" : counted(column.missing, "missing cell");
  if (column.role == Role::left_out) return "left out: " + column.reason;
  if (column.role == Role::number)
    return concat("number; ", missing, ": the median ", short_form(column.median), ", and an input that says where");
  const std::string pooled =
      column.pooled == 0 ? "" : concat("; ", grouped(column.pooled), " rarer ones have one input together");
  return concat("category; ", listed(column.values, max_values), pooled,
                missing.empty() ? "" : concat("; ", missing, ": an input that says where"));
}

std::string target_text(const TableEncoder& encoder) {
  const std::string names = listed(encoder.targets, 4);
  if (encoder.kind == Target::value)
    return concat("target ", names, ": ", counted(std::ssize(encoder.targets), "value"));
  return concat("target ", names, ": ", counted(std::ssize(encoder.classes), "class", "classes"), ' ',
                listed(encoder.classes, 6));
}

}  // namespace

Index TableColumn::width() const {
  if (role != Role::number && role != Role::category) return 0;
  const Index own = role == Role::number ? 1 : std::ssize(values) + (pooled > 0 ? 1 : 0);
  return own + (missing > 0 ? 1 : 0);
}

Index TableEncoder::width() const {
  Index sum = 0;
  for (const TableColumn& column : columns) sum += column.width();
  return sum;
}

std::vector<std::string> TableEncoder::input_names() const {
  std::vector<std::string> names;
  for (const TableColumn& column : columns) {
    if (column.width() == 0) continue;
    if (column.role == Role::number) names.push_back(column.name);
    for (const std::string& value : column.values) names.push_back(concat(column.name, " = ", value));
    if (column.pooled > 0) names.push_back(column.name + " = others");
    if (column.missing > 0) names.push_back(column.name + " is missing");
  }
  return names;
}

TensorDataset TableEncoder::load(const std::filesystem::path& path) const {
  const CsvFile file("TableEncoder::load", path, csv);
  const Index count = file.count();
  const Tensor x({count, width()}), y(target_shape(*this, count));
  encode_rows(file, *this, x, y);
  return {x, y};
}

Tensor TableEncoder::inputs(const std::filesystem::path& path) const {
  const CsvFile file("TableEncoder::inputs", path, csv);
  Tensor x({file.count(), width()});
  encode_rows(file, *this, x, Tensor());
  return x;
}

Tensor TableEncoder::inputs_of(std::string_view row) const {
  const std::string who = "TableEncoder::inputs_of";
  std::string text(row.substr(0, row.find_first_of("\r\n")));
  std::vector<std::string> names;
  CsvLine line(who, csv, names);
  line.split(text, 1);
  // The columns are those of the file, by position.
  const bool whole = line.cells().size() == columns.size();
  for (const TableColumn& column : columns)
    if (whole || column.role != Role::target) names.push_back(column.name);
  if (names.size() != line.cells().size())
    fail<DataError>(who, ": want ", columns.size(), " cells, or ", names.size(), " without the targets; got ",
                    line.cells().size());
  Tensor x({1, width()});
  RowEncoder(*this, names, false, who).encode(line, 0, x.mutable_data(), nullptr);
  return x;
}

std::string TableEncoder::text() const {
  constexpr std::size_t max_lines = 16, columns_of_text = 100;
  std::vector<std::string> numbers, others;
  for (const TableColumn& column : columns)
    if (column.role == Role::number && column.missing == 0) numbers.push_back(column.name);
  std::string text = concat(counted(rows, "row"), ", ", counted(std::ssize(columns), "column"), " -> ",
                            counted(width(), "input"), "; ", target_text(*this), '\n');
  if (!numbers.empty()) text += concat("  ", counted(std::ssize(numbers), "number"), ": ", listed(numbers, 8), '\n');
  for (const TableColumn& column : columns)
    if (column.role != Role::target && !(column.role == Role::number && column.missing == 0))
      others.push_back(concat(excerpt(column.name), ": ", fate(column)));
  for (const std::string& note : notes) others.push_back("note: " + note);
  for (std::size_t i = 0; i < std::min(max_lines, others.size()); ++i)
    text += concat("  ", wrapped(others[i], columns_of_text, 4), '\n');
  if (others.size() > max_lines)
    text += concat("  and ", others.size() - max_lines, " more, see TableEncoder::columns and notes\n");
  return text;
}

std::string TableEncoder::problem() const {
  std::set<std::string_view> names, target_names(targets.begin(), targets.end());
  for (const TableColumn& column : columns) {
    const bool fits = !column.name.empty() && names.insert(column.name).second &&
                      static_cast<int>(column.role) <= static_cast<int>(Role::left_out) && column.missing >= 0 &&
                      column.pooled >= 0 && is_finite(static_cast<Scalar>(column.median)) &&
                      (column.role == Role::category || (column.values.empty() && column.pooled == 0)) &&
                      std::ranges::is_sorted(column.values, std::ranges::less_equal()) &&
                      (column.role == Role::target) == target_names.contains(column.name);
    if (!fits) return "column " + quoted_name(column.name) + " contradicts itself or another one";
  }
  if (targets.empty() || target_names.size() != targets.size() ||
      std::ranges::any_of(targets, [&](const std::string& name) { return !names.contains(name); }))
    return "want targets that are columns; got others";
  if (std::set<std::string_view>(classes.begin(), classes.end()).size() != classes.size() ||
      classes.empty() == (kind == Target::class_index) || (kind == Target::class_index && targets.size() != 1))
    return "the classes do not suit the targets";
  if (!csv.header || rows < 1 || width() < 1) return "want a header or none, rows and inputs";
  try {
    check_csv_options(csv, "csv");
  } catch (const OptionError& error) {
    return error.what();
  }
  return {};
}

}  // namespace handrail::train
