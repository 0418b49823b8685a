#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/parallel.h>
#include <handrail/train/data/internal/csv_file.h>
#include <handrail/train/data/table/internal/row_encoder.h>
#include <handrail/train/data/table/table_encoder.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

using Role = TableColumn::Role;

constexpr std::size_t max_texts = 10'000;  // of a column; with more it is an identifier, not a category

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

// The texts of a column and how often each occurs. Text is std::string, or a view while a block is in memory.
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
using ColumnScans = std::vector<ColumnScan<std::string>>;

// What is done with a column of the file.
struct ColumnPlan {
  bool ignored = false;
  bool names = false;  // its numbers are names, too
};

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
  void add_to(ColumnScans& sum, Index& rows) const {
    rows += rows_;
    for (std::size_t at = 0; at < columns_.size(); ++at) {
      const auto& from = columns_[at];
      auto& to = sum[at];
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

// The medians of these columns of values [rows, width], of an even number the lower one of the two in the middle, as
// torch.median; NaN is left out. It finds the bits of each median from the highest on, by counting: a copy of a column
// would take memory.
std::vector<Scalar> medians_of(const Tensor& values, std::span<const Index> columns) {
  using Bits = std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint64_t>;
  constexpr int digit_bits = 8, all_bits = 8 * sizeof(Bits);
  constexpr Bits sign = Bits{1} << (all_bits - 1);
  // Bits whose order is that of the numbers.
  const auto key_of = [](Scalar value) {
    const auto bits = std::bit_cast<Bits>(value);
    return static_cast<Bits>((bits & sign) != 0 ? ~bits : bits | sign);
  };
  struct Search {
    Bits found = 0;         // the highest bits of the median
    std::int64_t rank = 0;  // of the median among the values with these bits
    std::array<std::int64_t, 1 << digit_bits> counts = {};
  };
  const Index width = values.shape()[1];
  const Scalar *const first = values.data(), *const end = first + values.size();
  std::vector<Search> searches(columns.size());
  for (int shift = all_bits - digit_bits; shift >= 0; shift -= digit_bits) {
    for (auto& search : searches) search.counts = {};
    for (const Scalar* row = first; row != end; row += width)
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const Scalar value = row[columns[i]];
        if (std::isnan(value)) continue;
        const Bits key = key_of(value);
        auto& [found, rank, counts] = searches[i];
        const bool same = shift == all_bits - digit_bits || ((key ^ found) >> (shift + digit_bits)) == 0;
        counts[(key >> shift) & 0xFF] += same ? 1 : 0;
      }
    for (auto& [found, rank, counts] : searches) {
      if (shift == all_bits - digit_bits) {
        std::int64_t total = 0;
        for (const std::int64_t count : counts) total += count;
        rank = (total - 1) / 2;
      }
      Bits digit = 0;
      while (digit < 0xFF && rank >= counts[digit]) rank -= counts[digit++];
      found |= digit << shift;
    }
  }
  std::vector<Scalar> medians;
  for (const auto& search : searches)
    medians.push_back(
        std::bit_cast<Scalar>((search.found & sign) != 0 ? search.found ^ sign : static_cast<Bits>(~search.found)));
  return medians;
}

class TableFit {
 public:
  TableFit(const std::filesystem::path& path, const TableOptions& options)
      : options_(options), file_("load_csv", path, without_non_finite(options.csv)), plans_(file_.columns().size()) {
    encoder_.csv = without_non_finite(options.csv);
    encoder_.csv.header = file_.has_header();
    encoder_.missing = options.missing;
    encoder_.targets = options.targets;
    encoder_.kind = options.kind;
    for (const std::string& name : file_.columns()) encoder_.columns.push_back({.name = name});
    check_options();
  }

  TableData run() && {
    scan();
    if (plan_mixed_columns()) scan();
    encoder_.rows = rows_;
    for (std::size_t at = 0; at < plans_.size(); ++at) type_column(at);
    if (encoder_.width() == 0) fail<DataError>(file_.name(), ": want columns besides the targets; got none");
    const Tensor x({rows_, encoder_.width()});
    const Tensor y(encoder_.kind == Target::value ? Shape{rows_, std::ssize(encoder_.targets)} : Shape{rows_});
    encode_rows(file_, encoder_, x, y);
    impute(x);
    note_coded_values(x);
    return {.data = {x, y}, .encoder = std::move(encoder_)};
  }

 private:
  static CsvOptions without_non_finite(CsvOptions options) {
    options.allow_non_finite = false;
    return options;
  }
  std::string column_name(std::size_t at) const { return concat("column ", at + 1, ' ', excerpt(file_.columns()[at])); }

  void check_options() {
    if (options_.targets.empty()) fail<OptionError>(file_.name(), ": want a target; got none");
    if (options_.kind == Target::class_index && options_.targets.size() != 1)
      fail<OptionError>(file_.name(), ": want one target of classes; got ", options_.targets.size(),
                        "; for a regression use Target::value");
    if (options_.max_categories < 2) fail<OptionError>(file_.name(), ": want max_categories >= 2; got fewer");
    std::vector<bool> taken(plans_.size());
    for (const auto* names : {&options_.targets, &options_.leave_out, &options_.categories})
      for (const std::string& name : *names) {
        const std::size_t at = find_column(file_.columns(), name, file_.name());
        if (taken[at])
          fail<OptionError>(file_.name(), ": want each column once in targets, leave_out and categories; got ",
                            excerpt(name), " twice");
        taken[at] = true;
        if (names == &options_.targets) encoder_.columns[at].role = Role::target;
        if (names == &options_.leave_out) leave_out(at, "as asked for");
        plans_[at].ignored = names == &options_.leave_out;
        plans_[at].names =
            names == &options_.categories || (names == &options_.targets && options_.kind == Target::class_index);
      }
  }
  void leave_out(std::size_t at, const char* reason) {
    encoder_.columns[at].role = Role::left_out;
    encoder_.columns[at].reason = reason;
  }

  void scan() {
    scans_.assign(plans_.size(), {});
    rows_ = 0;
    const MissingCells missing(options_.missing);
    file_.read([&] { return std::make_unique<ScanBlock>(plans_, missing); },
               [&](CsvBlockReader& block) { static_cast<ScanBlock&>(block).add_to(scans_, rows_); });
    if (rows_ == 0) fail<DataError>(file_.name(), ": want at least one row; got only a header");
  }
  // Of a category with some numbers, these are names, too, which the first scan did not keep. Whether there is one.
  bool plan_mixed_columns() {
    bool any = false;
    for (std::size_t at = 0; at < plans_.size(); ++at)
      if (scans_[at].numbers > 0 && scans_[at].numbers < scans_[at].texts && !plans_[at].names && !scans_[at].too_many)
        any = plans_[at].names = true;
    return any;
  }

  void type_column(std::size_t at) {
    TableColumn& column = encoder_.columns[at];
    const auto& scan = scans_[at];
    const bool is_target = column.role == Role::target;
    if (column.role == Role::left_out) return;
    if (is_target && encoder_.kind == Target::class_index) return name_classes(at);
    column.missing = is_target ? 0 : scan.missing;
    if (!is_target && (plans_[at].names || scan.numbers < scan.texts)) return type_category(at);
    if (is_target || scan.numbers > 0) {
      refuse_texts(at, is_target ? "" : ", or the column in `categories` or `leave_out`");
      if (!is_target) column.median = std::numeric_limits<double>::quiet_NaN();  // until it is known
    } else {
      leave_out(at, "every cell is missing");
    }
  }
  void refuse_texts(std::size_t at, const char* places) const {
    const auto& scan = scans_[at];
    if (scan.texts == 0) return;
    fail<DataError>(
        file_.name(), " line ", scan.first_text_line, ", ", column_name(at), ": want a number, as in ",
        counted(scan.numbers, "other row"), "; got ", excerpt(scan.first_text), " and ", scan.texts - 1,
        " more texts; correct it, or name the text in `missing`", places,
        scan.first_text_line == 1 && !options_.csv.header ? "; if this is a header, set csv.header = true" : "");
  }

  void type_category(std::size_t at) {
    TableColumn& column = encoder_.columns[at];
    column.role = Role::category;
    const auto& scan = scans_[at];
    if (scan.too_many) return leave_out(at, "more than 10,000 different texts");
    if (scan.counts.empty()) return leave_out(at, "every cell is missing");
    std::vector<std::pair<std::int64_t, std::string>> values;  // minus how often, and the text
    for (const auto& [text, times] : scan.counts) values.emplace_back(-times, text);
    std::ranges::sort(values);
    if (values.size() > options_.max_categories) {
      if (values[0].first == -1) return leave_out(at, "no text occurs twice");
      column.pooled = std::ssize(values);
      values.resize(options_.max_categories - 1);
      std::erase_if(values, [](const auto& value) { return value.first == -1; });
      column.pooled -= std::ssize(values);
    }
    for (auto& [times, text] : values) column.values.push_back(std::move(text));
    std::ranges::sort(column.values);
  }

  void name_classes(std::size_t at) {
    const auto& scan = scans_[at];
    const std::string where = concat(file_.name(), ": ", column_name(at));
    encoder_.numeric_classes = scan.numbers > 0 && scan.numbers >= scan.texts;
    if (encoder_.numeric_classes) refuse_texts(at, "");
    if (scan.too_many)
      fail<DataError>(where, ": want at most ", grouped(max_texts),
                      " classes; got more; for a regression use "
                      "Target::value");
    if (scan.counts.empty()) fail<DataError>(where, ": want classes; got missing cells only");
    std::vector<std::pair<double, std::string>> classes;
    for (const auto& [text, times] : scan.counts) {
      if (!encoder_.numeric_classes) {
        classes.emplace_back(0, text);
        continue;
      }
      const auto value = number_of(text);
      if (!value || *value != std::floor(*value))
        fail<DataError>(where, ": want classes, whole numbers or names; got ", excerpt(text),
                        "; for a regression use Target::value");
      classes.emplace_back(*value, number_name(*value));
    }
    std::ranges::sort(classes);
    classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    for (auto& [value, name] : classes) encoder_.classes.push_back(std::move(name));
  }

  // Finds the medians, and puts them in the place of what is missing.
  void impute(const Tensor& x) {
    std::vector<Index> inputs;  // that are numbers
    std::vector<TableColumn*> numbers;
    Index at = 0;
    for (TableColumn& column : encoder_.columns) {
      if (column.role == Role::number) {
        inputs.push_back(at);
        numbers.push_back(&column);
      }
      at += column.width();
    }
    std::vector<Scalar> medians(inputs.size());
    // Columns that lie side by side are looked at together, as a look at one reads the memory of all.
    constexpr Index columns_at_once = 16;
    const Index count = std::ssize(inputs);
    const Index grain = std::min(columns_at_once, (count + num_threads() - 1) / num_threads());
    parallel_ranges(count, std::max<Index>(grain, 1), num_threads(), [&](Index begin, Index end) {
      const auto some = medians_of(
          x, std::span(inputs).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
      std::ranges::copy(some, medians.begin() + begin);
    });
    Scalar* const values = x.mutable_data();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      numbers[i]->median = static_cast<double>(medians[i]);
      if (numbers[i]->missing == 0) continue;
      for (Index row = 0; row < rows_; ++row)
        if (Scalar& value = values[row * at + inputs[i]]; std::isnan(value)) value = medians[i];
    }
  }

  void note_coded_values(const Tensor& x) {
    std::vector<std::string> names(static_cast<std::size_t>(x.shape()[1]));
    std::size_t input = 0;
    for (std::size_t at = 0; at < encoder_.columns.size(); ++at) {
      if (encoder_.columns[at].role == Role::number) names[input] = column_name(at);
      input += static_cast<std::size_t>(encoder_.columns[at].width());
    }
    encoder_.notes = coded_value_notes(x, [&](Index at) { return names[static_cast<std::size_t>(at)]; });
  }

  const TableOptions& options_;
  CsvFile file_;
  std::vector<ColumnPlan> plans_;  // one for each column of the file, as the two below
  ColumnScans scans_;
  TableEncoder encoder_;
  Index rows_ = 0;
};

}  // namespace

TableData load_csv(const std::filesystem::path& path, const TableOptions& options) {
  return TableFit(path, options).run();
}

}  // namespace handrail::train
