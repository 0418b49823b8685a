#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/data/internal/csv_file.h>
#include <handrail/train/data/table/internal/column_medians.h>
#include <handrail/train/data/table/internal/column_scan.h>
#include <handrail/train/data/table/internal/row_encoder.h>
#include <handrail/train/data/table/table_encoder.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

using Role = TableColumn::Role;

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
    encoder_.rows = scan_.rows;
    for (std::size_t at = 0; at < plans_.size(); ++at) type_column(at);
    if (encoder_.width() == 0) fail<DataError>(file_.name(), ": want columns besides the targets; got none");
    const Tensor x({scan_.rows, encoder_.width()});
    const Tensor y(encoder_.kind == Target::value ? Shape{scan_.rows, std::ssize(encoder_.targets)}
                                                  : Shape{scan_.rows});
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
    scan_ = scan_columns(file_, plans_, MissingCells(options_.missing));
    if (scan_.rows == 0) fail<DataError>(file_.name(), ": want at least one row; got only a header");
  }
  // Of a category with some numbers, these are names, too, which the first scan did not keep. Whether there is one.
  bool plan_mixed_columns() {
    bool any = false;
    for (std::size_t at = 0; at < plans_.size(); ++at)
      if (scan_.columns[at].numbers > 0 && scan_.columns[at].numbers < scan_.columns[at].texts && !plans_[at].names &&
          !scan_.columns[at].too_many)
        any = plans_[at].names = true;
    return any;
  }

  void type_column(std::size_t at) {
    TableColumn& column = encoder_.columns[at];
    const auto& scan = scan_.columns[at];
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
    const auto& scan = scan_.columns[at];
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
    const auto& scan = scan_.columns[at];
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
    const auto& scan = scan_.columns[at];
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
    const std::vector<Scalar> medians = column_medians(x, inputs);
    Scalar* const values = x.mutable_data();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      numbers[i]->median = static_cast<double>(medians[i]);
      if (numbers[i]->missing == 0) continue;
      for (Index row = 0; row < scan_.rows; ++row)
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
  TableScan scan_;
  TableEncoder encoder_;
};

}  // namespace

TableData load_csv(const std::filesystem::path& path, const TableOptions& options) {
  return TableFit(path, options).run();
}

}  // namespace handrail::train
