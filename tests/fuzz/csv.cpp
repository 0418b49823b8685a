// A CSV file, plain or compressed, as a table of numbers and as a data set.

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

#include <handrail/core/system/finite.h>
#include <handrail/train/data/table/table_encoder.h>

#include "target.h"

using namespace handrail;
using namespace handrail::train;

namespace {

// The first one of the first line; so the file alone says how it is read.
char delimiter_of(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  const std::size_t at = line.find_first_of(",;\t| ");
  return at == std::string_view::npos ? ',' : line[at];
}

// The table as text, with every name in quotes and numbers in the fewest digits that tell them apart.
std::string text_of(const CsvTable& table, char delimiter) {
  std::string text;
  for (const std::string& name : table.columns) {
    if (!text.empty()) text += delimiter;
    text += '"';
    for (const char c : name) text.append(c == '"' ? 2 : 1, c);
    text += '"';
  }
  const std::size_t cols = table.columns.size();
  for (std::size_t i = 0; const Scalar value : table.values.span()) {
    text += i++ % cols == 0 ? '\n' : delimiter;
    std::array<char, 32> digits;
    text.append(digits.data(), std::to_chars(digits.begin(), digits.end(), value).ptr);
  }
  return text;
}

bool same(Scalar a, Scalar b) {
  using Bits = std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint64_t>;
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b);
}

bool same(const CsvTable& a, const CsvTable& b) {
  return a.columns == b.columns && a.values.shape() == b.values.shape() &&
         std::ranges::equal(a.values.span(), b.values.span(), [](Scalar x, Scalar y) { return same(x, y); });
}

void read(std::string_view bytes) {
  static fuzz::MemoryFile file, written;
  const auto& path = file.write(bytes);
  const char delimiter = delimiter_of(bytes);
  // Limits that small inputs reach.
  const CsvOptions options{
      .delimiter = delimiter, .allow_non_finite = true, .max_line_bytes = 256, .max_inflated_bytes = 4096};
  const CsvTable table = read_csv(path, options);
  fuzz::require(
      table.values.shape() == Shape{table.values.shape()[0], std::ssize(table.columns)} && table.values.size() > 0,
      "a column has no name, or a name no column");
  const auto& again = written.write(text_of(table, delimiter));
  fuzz::require(same(read_csv(again, {.delimiter = delimiter, .header = true, .allow_non_finite = true}), table),
                "written and read again, the table differs");

  const bool finite = first_non_finite(table.values.span()) < 0;
  const CsvTable strict = read_csv(path, {.delimiter = delimiter});
  fuzz::require(finite && same(strict, table), "read without NaN, the table differs");
}

// Any file that is a table, by its last column. The encoder reads the same file to the same inputs.
void encode(std::string_view bytes) {
  static fuzz::MemoryFile file;
  const auto& path = file.write(bytes);
  const CsvOptions options{.delimiter = delimiter_of(bytes), .max_line_bytes = 256, .max_inflated_bytes = 4096};
  std::string target;
  try {
    const CsvTable names = read_csv(path, options);
    target = names.columns.back();
  } catch (const DataError&) {
    // A table of texts. Its first line names the columns, or they are numbered.
    std::string line(bytes.substr(0, std::min(bytes.find('\n'), bytes.size())));
    const std::size_t at = line.rfind(options.delimiter) + 1;
    target = line.substr(at, line.find_last_not_of(" \r\t") + 1 - at);
  }
  for (const Target kind : {Target::class_index, Target::value}) {
    try {
      const TableData table = load_csv(path, {.targets = {target}, .kind = kind, .max_categories = 3, .csv = options});
      const TableEncoder& encoder = table.encoder;
      fuzz::require(encoder.problem().empty(), "the encoder contradicts itself");
      fuzz::require(std::ssize(encoder.input_names()) == encoder.width() && !encoder.text().empty(),
                    "an input has no name, or a name no input");
      const TensorDataset again = encoder.load(path);
      fuzz::require(std::ranges::equal(again.inputs().span(), table.data.inputs().span()) &&
                        std::ranges::equal(again.targets().span(), table.data.targets().span()),
                    "the encoder makes other inputs or targets");
      fuzz::require(std::ranges::equal(encoder.inputs(path).span(), table.data.inputs().span()),
                    "the encoder makes other inputs without the targets");
    } catch (const OptionError&) {  // no such column
    } catch (const DataError&) {
    }
  }
}

void read_and_encode(std::string_view bytes) {
  encode(bytes);
  // With texts and missing cells in the columns.
  std::string changed(bytes);
  std::ranges::replace(changed, '1', 'u');
  std::ranges::replace(changed, '4', '?');
  encode(changed);
  read(bytes);
}

}  // namespace

// Names of one letter and its delimiter are objects of 32 bytes, whose array doubles as it grows; text may
// inflate to max_inflated_bytes.
const fuzz::Target fuzz::target{.read = read_and_encode, .memory = {.fixed = 256 << 10, .per_byte = 128}};
