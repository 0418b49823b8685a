#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/tensor.h>
#include <handrail/train/data/csv.h>
#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// What the target columns of a table are.
enum class Target : std::uint8_t {
  class_index,  // names or whole numbers: targets [N] are class indices, for cross_entropy
  value,        // any numbers: targets [N, columns], for mse_loss against outputs of this shape
};

/// A column of a table, and what becomes of it.
struct TableColumn {
  /// What a column becomes.
  enum class Role : std::uint8_t {
    number,    // an input with its value; a missing one is replaced by the median
    category,  // an input for each of `values`, which is 1 in the rows that have this value and 0 in all others
    target,    // a class or a value to predict
    left_out,  // nothing
  };
  std::string name;          // "0", "1", ... in a file without a header
  Role role = Role::number;  // decides which of the fields below it has
  std::int64_t missing = 0;  // of the rows that the encoder was fitted on; above 0: one more input says where
  double median = 0;         // of a number: of the values that are not missing
  std::vector<std::string> values = {};  // of a category, in ascending order
  std::int64_t pooled = 0;               // of a category: how many more values have an input together; 0: none
  std::string reason = {};               // of a column that is left out, for the text

  /// The number of inputs: the number or the values, the pooled values, and whether the cell is missing, in this order.
  Index width() const;
};

/// How the columns of a table become inputs and targets: what load_csv found in a file, so that other files and rows
/// become the same inputs. It is a value, which save_table and TrainerOptions::table store.
/// Threads: const functions may be called by several threads at once.
struct TableEncoder {
  CsvOptions csv = {};                    // how the file was read; `header` says whether it had one
  std::vector<std::string> missing = {};  // cells that stand for a missing value, whatever their case
  std::vector<TableColumn> columns = {};  // of the file, in its order
  std::vector<std::string> targets = {};  // the names of the target columns, in the order of the targets
  Target kind = Target::class_index;      // of the targets
  std::vector<std::string> classes = {};  // of Target::class_index: their names, in the order of the class indices
  bool numeric_classes = false;           // the classes are numbers, so that 1 and 1.0 are the same one
  std::int64_t rows = 0;                  // that it was fitted on
  std::vector<std::string> notes = {};    // what is odd about the columns, as CsvTable::notes
  /// What is done about a text that its column did not have, and about a missing cell in a column without one. false: a
  /// DataError. true: all inputs of the text are 0, and the missing cell is replaced by the median.
  bool allow_unknown = false;

  /// The number of inputs of a row.
  Index width() const;
  /// The names of the inputs: "age", "age is missing", "sex = male", "town = others".
  std::vector<std::string> input_names() const;

  /// Reads inputs [N, width()] and targets from a file with the same columns. With a header, they are found by their
  /// names, may have another order, and others may stand between them. Without one, they have the same order.
  /// Throws DataError as read_csv does, when a column is missing, and naming line and column of a text in a column of
  /// numbers, of a missing target, of a class, text or missing cell that allow_unknown is about.
  TensorDataset load(const std::filesystem::path& path) const;
  /// Reads inputs [N, width()] from such a file, which needs no targets. Throws as load() does.
  Tensor inputs(const std::filesystem::path& path) const;
  /// The inputs [1, width()] of one row, given as a line of the file. The targets are ignored, and may be left out.
  /// Throws as load() does.
  Tensor inputs_of(std::string_view row) const;

  /// What becomes of the columns, in one screen.
  std::string text() const;
  /// What is wrong with the fields, as of a file that was forged; empty when nothing is.
  std::string problem() const;
};

/// How load_csv makes a data set of a file.
struct TableOptions {
  std::vector<std::string> targets;          // columns to predict: one of classes, or any number of values
  Target kind = Target::class_index;         // of the targets
  std::vector<std::string> leave_out = {};   // columns that are neither inputs nor targets
  std::vector<std::string> categories = {};  // columns whose numbers are names, such as postcodes
  std::size_t max_categories = 32;  // of a column; the most frequent ones have an input, all others one together
  std::vector<std::string> missing = {"", "NA", "N/A", "NaN", "null", "?"};  // missing cells, whatever their case
  CsvOptions csv = {};  // allow_non_finite has no effect: nan is missing, and inf is an error
};

/// A data set of a table, and how it was made.
struct TableData {
  TensorDataset data;    // all rows of the file, in its order
  TableEncoder encoder;  // for TrainerOptions::table
};

/// Makes a data set of a text file with a column for each feature and target, in two passes on num_threads() threads.
///
/// The first pass types the columns. A column is a number when at least half of its cells, missing ones aside, are
/// numbers: then a cell that is not is an error, so that a slip of the pen does not turn thousands of numbers into
/// names. Any other column is a category. A column is left out when all of its cells are missing, when no text in it
/// occurs twice, or when it has more than 10,000 different texts: nothing can be learnt from it.
///
/// Missing numbers are replaced by the median of the file, so keep rows to test with in another file, which
/// `encoder.load` reads. Inputs are not scaled. Classes are numbered in ascending order of their names, or of their
/// values when all are numbers: set TrainerOptions::table, from which also come the class names.
///
/// The file is read as read_csv does. Memory holds the data set, the texts of categories, and a block of 1 MB for each
/// thread. Throws as read_csv and TableEncoder::load do; DataError when a column that should be a number, a class or a
/// value is not, or when there are no inputs; OptionError when there is no such column.
TableData load_csv(const std::filesystem::path& path, const TableOptions& options);

}  // namespace handrail::train
