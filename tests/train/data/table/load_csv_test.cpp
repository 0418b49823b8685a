#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/data/table/table_encoder.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/sanitized.h"
#include "support/tensors.h"

using namespace handrail;
using namespace handrail::train;

namespace {

using Names = std::vector<std::string>;

TableData load(const std::string& text, const TableOptions& options) {
  const TempDir dir;
  return load_csv(dir.write("a.csv", text), options);
}

TableOptions values(Names targets) { return {.targets = std::move(targets), .kind = Target::value}; }

template <class... Parts>
void rejects(const std::string& text, const TableOptions& options, const Parts&... parts) {
  CAPTURE(text);
  check_throws<DataError>([&] { load(text, options); }, "load_csv: '", "a.csv'", parts...);
}

void check_first_row(const TableData& table, const std::vector<double>& want) {
  REQUIRE(table.data.input_shape() == Shape{std::ssize(want)});
  for (std::size_t i = 0; i < want.size(); ++i) CHECK(table.data.inputs().span()[i] == want[i]);
}

bool says(const TableData& table, std::string_view part) {
  CAPTURE(table.encoder.text());
  CAPTURE(part);
  return table.encoder.text().find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("load_csv makes inputs and class indices of a table of numbers") {
  const TableData table = load("a,b,y\n1,2,0\n3,4,1\n-5,6e1,0\n", {.targets = {"y"}});
  CHECK(table.data.inputs().shape() == Shape{3, 2});
  check_values(table.data.inputs(), {1, 2, 3, 4, -5, 60});
  CHECK(table.data.targets().shape() == Shape{3});
  check_values(table.data.targets(), {0, 1, 0});
  CHECK(table.encoder.classes == Names{"0", "1"});
  CHECK(says(table, "3 rows, 3 columns -> 2 inputs; target 'y': 2 classes '0', '1'"));
}

TEST_CASE("load_csv gives a text an input for each of its values, in ascending order") {
  const TableData table = load("town,y,a\nUlm,0,1\nBonn,1,2\nUlm,1,3\n", {.targets = {"y"}});
  CHECK(table.encoder.input_names() == Names{"town = Bonn", "town = Ulm", "a"});
  check_values(table.data.inputs(), {0, 1, 1, 1, 0, 2, 0, 1, 3});
  CHECK(says(table, "'town': category; 'Bonn', 'Ulm'"));
}

TEST_CASE("load_csv takes a text target for classes, in ascending order of their names") {
  const TableData table = load("a,kind\n1,rose\n2,iris\n3,rose\n", {.targets = {"kind"}});
  CHECK(table.encoder.classes == Names{"iris", "rose"});
  check_values(table.data.targets(), {1, 0, 1});
}

TEST_CASE("load_csv numbers classes that are numbers by their values") {
  const TableData table = load("a,y\n1,10\n2,9\n3,+10.0\n4,-1\n5,-0\n6,0\n", {.targets = {"y"}});
  CHECK(table.encoder.classes == Names{"-1", "0", "9", "10"});
  check_values(table.data.targets(), {3, 2, 3, 0, 1, 1});
}

TEST_CASE("load_csv takes several targets of a regression, in the order asked for") {
  const TableData table = load("y1,a,y2\n0.5,1,2.5\n1.5,2,3.5\n", values({"y2", "y1"}));
  check_values(table.data.inputs(), {1, 2});
  CHECK(table.data.targets().shape() == Shape{2, 2});
  check_values(table.data.targets(), {2.5, 0.5, 3.5, 1.5});
  CHECK(table.encoder.classes.empty());
  CHECK(table.encoder.problem().empty());
  CHECK(says(table, "target 'y2', 'y1': 2 values"));
}

TEST_CASE("load_csv replaces missing numbers by the median and says where they were") {
  const TableData table =
      load("a,b,y\n1,5,0\n,6,1\n100,7,0\nNA,8,1\nNaN,9,0\nnull,1,0\n?,2,0\n3,3,1\n", {.targets = {"y"}});
  CHECK(table.encoder.input_names() == Names{"a", "a is missing", "b"});
  check_values(table.data.inputs(), {1, 0, 5, 3, 1, 6, 100, 0, 7, 3, 1, 8, 3, 1, 9, 3, 1, 1, 3, 1, 2, 3, 0, 3});
  CHECK(says(table, "'a': number; 5 missing cells: the median 3, and an input that says where"));
}

TEST_CASE("the median is that of a sorted column") {
  for (const int rows : {1, 2, 3, 10, 1001}) {
    std::string text = "a,b,y\n";
    std::vector<double> column;
    for (int i = 0; i < rows; ++i) {
      const std::string cell = std::to_string((i * 7919 % 1009 - 500) * (i % 3 == 0 ? 1e-5 : 0.25));
      column.push_back(std::stod(cell));
      text += std::to_string(i) + "," + cell + "," + std::to_string(i % 2) + "\n";
    }
    std::ranges::sort(column);
    CAPTURE(rows);
    const TableData table = load(text, {.targets = {"y"}});
    CHECK(table.encoder.columns[1].median == doctest::Approx(column[(column.size() - 1) / 2]).epsilon(1e-6));
    CHECK(table.encoder.columns[0].median == (rows - 1) / 2);
  }
}

TEST_CASE("load_csv says where a text is missing") {
  const TableData table = load("t,y\nu,0\nNA,1\nv,0\n", {.targets = {"y"}});
  CHECK(table.encoder.input_names() == Names{"t = u", "t = v", "t is missing"});
  check_values(table.data.inputs(), {1, 0, 0, 0, 0, 1, 0, 1, 0});
}

TEST_CASE("load_csv takes other codes of missing cells") {
  TableOptions options{.targets = {"y"}, .missing = {"none", "-9"}};
  const TableData table = load("a,t,y\n1,NA,0\n-9,None,1\n3,u,0\n", options);
  CHECK(table.encoder.input_names() == Names{"a", "a is missing", "t = NA", "t = u", "t is missing"});
  check_values(table.data.inputs(), {1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 3, 0, 0, 1, 0});
}

TEST_CASE("load_csv pools the texts of a column that has many") {
  std::string text = "t,y\n";
  for (int i = 0; i < 40; ++i)
    for (int times = 0; times <= i / 10; ++times) text += "t" + std::to_string(i) + "," + std::to_string(i % 2) + "\n";
  const TableData table = load(text, {.targets = {"y"}, .max_categories = 12});
  const TableColumn& column = table.encoder.columns[0];
  // Ten occur four times; t20 is the first of those that occur three times. The other 29 have one input together.
  CHECK(column.values.size() == 11);
  CHECK(std::ranges::count(column.values, "t20") == 1);
  CHECK(column.pooled == 29);
  CHECK(table.encoder.input_names().back() == "t = others");
  check_first_row(table, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  CHECK(says(table, "29 rarer ones have one input together"));
}

TEST_CASE("load_csv leaves out what nothing can be learnt from") {
  std::string text = "name,a,void,skip,y\n";
  for (int i = 0; i < 40; ++i) text += "n" + std::to_string(i) + "," + std::to_string(i) + ",NA,7,1\n";
  const TableData table = load(text, {.targets = {"y"}, .leave_out = {"skip"}});
  CHECK(table.encoder.input_names() == Names{"a"});
  CHECK(says(table, "'name': left out: no text occurs twice"));
  CHECK(says(table, "'void': left out: every cell is missing"));
  CHECK(says(table, "'skip': left out: as asked for"));
  std::string many = "name,a,y\n";
  for (int i = 0; i < 2 * 10'001; ++i) many += "n" + std::to_string(i / 2) + "," + std::to_string(i) + ",1\n";
  CHECK(says(load(many, {.targets = {"y"}}), "'name': left out: more than 10,000 different texts"));
}

TEST_CASE("load_csv takes numbers for names on request, and where most cells are texts") {
  const TableData postcodes = load("code,y\n01067,0\n1067,1\n89073,0\n", {.targets = {"y"}, .categories = {"code"}});
  CHECK(postcodes.encoder.columns[0].values == Names{"01067", "1067", "89073"});
  const TableData mixed = load("code,y\n17,0\nA1,1\nB2,0\n", {.targets = {"y"}});
  CHECK(mixed.encoder.columns[0].values == Names{"17", "A1", "B2"});
}

TEST_CASE("load_csv takes a text among numbers for a mistake") {
  rejects("a,y\n1,0\n1O,1\n3,0\nx,0\n4,1\n", {.targets = {"y"}},
          "line 3, column 1 'a': want a number, as in 3 other rows; got '1O' and 1 more texts",
          "name the text in `missing`, or the column in `categories` or `leave_out`");
  rejects("a,y\n1,0\n2,x\n3,0\n", {.targets = {"y"}}, "line 3, column 2 'y': want a number");
  rejects("a,1\n1,0\n2,1\n", {.targets = {"1"}}, "line 1, column 1 '0'", "set csv.header = true");
  CHECK(load("a,y\n1,0\n1O,1\n3,0\n", {.targets = {"y"}, .missing = {"1o"}}).encoder.columns[0].missing == 1);
}

TEST_CASE("load_csv names the cell of a target that is missing or is none") {
  rejects("a,y\n1,0\n2,NA\n", {.targets = {"y"}}, "line 3, column 2 'y': want a target; got a missing cell");
  rejects("a,y\n1,0\n2,\n", values({"y"}), "line 3, column 2 'y': want a target; got a missing cell");
  rejects("a,y\n1,0\n2,1.5\n", {.targets = {"y"}}, "column 2 'y': want classes", "got '1.5'", "Target::value");
  rejects("a,y\n1,u\n2,v\n", values({"y"}), "line 2, column 2 'y': want a number");
  rejects("a,y\n1,?\n", {.targets = {"y"}}, "column 2 'y': want classes; got missing cells only");
}

TEST_CASE("load_csv refuses numbers that are infinite or out of range") {
  rejects("a,y\n1,0\ninf,1\n", {.targets = {"y"}}, "line 3, column 1 'a': want a finite number; got 'inf'");
  rejects("a,y\n1,0\n1e999,1\n", {.targets = {"y"}}, "line 3, column 1 'a': want a number in the range");
}

TEST_CASE("load_csv refuses a table without rows or inputs") {
  rejects("a,y\n", {.targets = {"y"}}, "only a header");
  rejects("", {.targets = {"y"}}, "got an empty file");
  rejects("y\n1\n", {.targets = {"y"}}, "want columns besides the targets; got none");
  rejects("a,b,y\n1,2,3\n1,2\n", {.targets = {"y"}}, "line 3: want 3 columns as in line 1; got 2");
}

TEST_CASE("load_csv lists the columns when an option names another one, and refuses options that contradict") {
  const auto refuses = [](const TableOptions& options, const auto&... parts) {
    check_throws<OptionError>([&] { load("a,b\n1,2\n", options); }, "a.csv'", parts...);
  };
  refuses({.targets = {"y"}}, "want one of the columns 'a', 'b'; got 'y'");
  refuses({.targets = {"a"}, .leave_out = {"c"}}, "got 'c'");
  refuses({.targets = {"a"}, .categories = {"d"}}, "got 'd'");
  refuses({.targets = {"a"}, .leave_out = {"a"}}, "want each column once", "got 'a' twice");
  refuses({.targets = {}}, "want a target; got none");
  refuses({.targets = {"a", "b"}}, "want one target of classes; got 2");
  refuses({.targets = {"a"}, .max_categories = 1}, "max_categories >= 2");
}

TEST_CASE("load_csv reads a file without a header when a cell of the first line is a number") {
  const TableData table = load("5.1,setosa\n4.9,setosa\n6.3,virginica\n", {.targets = {"1"}});
  CHECK(table.encoder.classes == Names{"setosa", "virginica"});
  check_values(table.data.inputs(), {Scalar(5.1), Scalar(4.9), Scalar(6.3)});
}

TEST_CASE("load_csv notes numbers that seem to stand for missing values") {
  std::string text = "t,age,y\n";
  for (int i = 0; i < 100; ++i)
    text += std::string(i % 2 ? "u" : "v") + "," + (i % 10 == 3 ? "-999" : std::to_string(20 + i * 37 % 61)) + ",1\n";
  const TableData table = load(text, {.targets = {"y"}});
  REQUIRE(table.encoder.notes.size() == 1);
  CHECK(table.encoder.notes[0].find("column 2 'age': -999 in 10 % of the rows") == 0);
  CHECK(says(table, "note: column 2 'age': -999"));
}

TEST_CASE("load_csv gives the same table on any number of threads") {
  std::string text = "t,a,y\n";
  for (int i = 0; i < 40'000; ++i)
    text += "t" + std::to_string(i * 7919 % 97) + "," + (i % 50 == 7 ? "" : std::to_string(i * 31 % 1000)) + "," +
            (i % 3 ? "no" : "yes") + "\n";
  const auto on = [&](int threads) {
    const ThreadCount use(threads);
    return load(text, {.targets = {"y"}});
  };
  const TableData one = on(1), three = on(3);
  CHECK(std::ranges::equal(one.data.inputs().span(), three.data.inputs().span()));
  CHECK(std::ranges::equal(one.data.targets().span(), three.data.targets().span()));
  CHECK(one.encoder.text() == three.encoder.text());
  CHECK(one.encoder.columns[0].pooled == 66);
  CHECK(one.encoder.rows == 40'000);
}

TEST_CASE("load_csv takes hardly more memory than the numbers that it returns") {
  if (sanitized) return;
  constexpr int rows = 1'000'000;
  std::string text = "a,b,y\n";
  for (int i = 0; i < rows; ++i)
    text +=
        std::to_string(i % 97) + (i % 50 == 7 ? ",," : ",0." + std::to_string(i % 89) + ",") + (i % 2 ? "v\n" : "u\n");
  const TempDir dir;
  const auto path = dir.write("a.csv", text);
  text = {};
  // In a process of its own, whose peak is that of this call.
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto peak = [] {
      struct rusage usage {};
      getrusage(RUSAGE_SELF, &usage);
      return static_cast<double>(usage.ru_maxrss) * 1024;
    };
    set_num_threads(2);
    const double before = peak();
    const TableData table = load_csv(path, {.targets = {"y"}});
    const double numbers = rows * (4.0 * sizeof(Scalar)), blocks = 8 << 20;
    _exit(table.data.input_shape() == Shape{3} && peak() - before < 1.2 * numbers + blocks ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

// What users of mlpack have met: its issues 3161, 658 and 1754.

TEST_CASE("a table with texts and numbers under a header is not read as zeros (mlpack 3161)") {
  const TableData table = load(
      "Date,Order ID,Customer Name,Product ID,Product Name,Quantity\n"
      "2021-06-01,B0000001,Customer - 0001,P0001,Product - 0001,1.0\n"
      "2021-06-01,B0000001,Customer - 0001,P0002,Product - 0002,4.0\n"
      "2021-06-02,B0000002,Customer - 0002,P0001,Product - 0001,2.5\n",
      values({"Quantity"}));
  CHECK(table.encoder.input_names() ==
        Names{"Date = 2021-06-01", "Date = 2021-06-02", "Order ID = B0000001", "Order ID = B0000002",
              "Customer Name = Customer - 0001", "Customer Name = Customer - 0002", "Product ID = P0001",
              "Product ID = P0002", "Product Name = Product - 0001", "Product Name = Product - 0002"});
  check_values(table.data.inputs(), {1, 0, 1, 0, 1, 0, 1, 0, 1, 0,  //
                                     1, 0, 1, 0, 1, 0, 0, 1, 0, 1,  //
                                     0, 1, 0, 1, 0, 1, 1, 0, 1, 0});
  check_values(table.data.targets(), {1, 4, 2.5});
}

TEST_CASE("a missing cell leaves the numbers of its column as they are, wherever it stands (mlpack 658)") {
  for (int bad = 0; bad < 4; ++bad) {
    CAPTURE(bad);
    std::string text;
    std::vector<double> inputs;
    for (int row = 0; row < 4; ++row) {
      text += row == bad ? " , 1, 1\n" : "1, 1, 1\n";
      inputs.insert(inputs.end(), {1.0, row == bad ? 1.0 : 0.0, 1.0});
    }
    const TableData table = load(text, values({"2"}));
    CHECK(table.data.inputs().shape() == Shape{4, 3});
    CHECK(table.encoder.input_names() == Names{"0", "0 is missing", "1"});
    check_values(table.data.inputs(), inputs);
  }
}

TEST_CASE("a row is a sample and a column a feature: nothing is transposed") {
  const TableData table = load("1,2,3\n4,5,6\n", values({"2"}));
  CHECK(table.data.size() == 2);
  CHECK(table.data.input_shape() == Shape{2});
  check_values(table.data.inputs(), {1, 2, 4, 5});
  check_values(table.data.targets(), {3, 6});
}

TEST_CASE("texts keep their blanks, commas, quotes and backslashes, and an empty one is missing (mlpack 1754)") {
  const TableData table = load(
      "1,row 2,row 3\n"
      "2,\"row 2, with comma\",row 3\n"
      "3,\"row 2 with \"\"embedded quote\"\"\",row 3\n"
      "4,\"row 2 with \\n new line\",row 3\n"
      "5,row 2 with embedded \\,row 3\n"
      "11,,row 33\n",
      {.targets = {"2"}});
  CHECK(table.encoder.columns[1].values == Names{"row 2", "row 2 with \"embedded quote\"", "row 2 with \\n new line",
                                                 "row 2 with embedded \\", "row 2, with comma"});
  CHECK(table.encoder.columns[1].missing == 1);
  CHECK(table.encoder.classes == Names{"row 3", "row 33"});
  check_values(table.data.targets(), {0, 0, 0, 0, 0, 1});
  check_first_row(table, {1, 1, 0, 0, 0, 0, 0});
}
