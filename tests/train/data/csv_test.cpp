#include <doctest/doctest.h>

#include <sys/stat.h>

#include <clocale>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/data/csv.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tensors.h"

using namespace handrail;
using namespace handrail::train;

namespace {

using Names = std::vector<std::string>;

CsvTable read(const std::string& text, const CsvOptions& options = {}) {
  const TempDir dir;
  return read_csv(dir.write("a.csv", text), options);
}

void reads(const std::string& text, const Shape& shape, const std::vector<double>& values,
           const CsvOptions& options = {}) {
  CAPTURE(text);
  const CsvTable table = read(text, options);
  CHECK(table.values.shape() == shape);
  check_values(table.values, values);
}

template <class... Parts>
void rejects(const std::string& text, const CsvOptions& options, const Parts&... parts) {
  CAPTURE(text);
  check_throws<DataError>([&] { read(text, options); }, "read_csv: '", "a.csv'", parts...);
}

}  // namespace

TEST_CASE("read_csv reads numbers, with and without a header") {
  reads("1,2,3\n4,5,6\n", {2, 3}, {1, 2, 3, 4, 5, 6});
  reads("a,b\n-1.5,2e3\n", {1, 2}, {-1.5, 2000});
  reads("7", {1, 1}, {7});
  CHECK(read("1,2\n").columns == Names{"0", "1"});
  CHECK(read("a,b\n1,2\n").columns == Names{"a", "b"});
}

TEST_CASE("read_csv takes a first line without a number for a header, and refuses a mixed one") {
  CHECK(read("x,y\n1,2\n").columns == Names{"x", "y"});
  CHECK(read("2019,x\n1,2\n", {.header = true}).columns == Names{"2019", "x"});
  CHECK(read("2019,2020\n1,2\n").values.shape() == Shape{2, 2});
  CHECK(read("2019,2020\n1,2\n", {.header = true}).columns == Names{"2019", "2020"});
  rejects("x,2\n1,2\n", {.header = false}, "line 1, column 1 '0': want a number; got 'x'");
}

TEST_CASE("read_csv reads every way to write a number") {
  reads("+1,  2\t, .5,5.,1E-2,\"3\",\" 4 \" ,-0\n", {1, 8}, {1, 2, 0.5, 5, 0.01, 3, 4, 0});
  reads("0.1,16777217,3.4028234e38\n", {1, 3}, {Scalar(0.1), Scalar(16777217), 3.4028234e38});
  // Too small for a float, not for a double.
  reads("1e-60,-1e-60\n", {1, 2}, {0, 0});
}

TEST_CASE("read_csv accepts a byte order mark, CRLF, a missing last newline and blank lines at the end") {
  reads(
      "\xEF\xBB\xBF"
      "1,2\r\n3,4",
      {2, 2}, {1, 2, 3, 4});
  CHECK(read("\xEF\xBB\xBF\"a\",b\r\n3,4\r\n").columns == Names{"a", "b"});
  reads("1,2\r\n\r\n  \n\t\r\n", {1, 2}, {1, 2});
}

TEST_CASE("read_csv reads quoted names with delimiters and quotes in them") {
  const auto table = read("\"a,b\", \"the \"\"c\"\"\" ,\" d\"\n1,2,3\n");
  CHECK(table.columns == Names{"a,b", "the \"c\"", "d"});
}

TEST_CASE("read_csv takes other delimiters") {
  reads("1;2\n3; 4\n", {2, 2}, {1, 2, 3, 4}, {.delimiter = ';'});
  reads("1\t2\n 3\t4 \n", {2, 2}, {1, 2, 3, 4}, {.delimiter = '\t'});
  reads("1 2\n3 4\n", {2, 2}, {1, 2, 3, 4}, {.delimiter = ' '});
  for (const char delimiter : {'"', '\n', '\r', '\0', '5', '.', '-', '+', 'e'})
    check_throws<OptionError>([&] { read("1", {.delimiter = delimiter}); }, "read_csv: want a delimiter");
}

TEST_CASE("read_csv reads compressed files") {
  const std::string text = "x,y\n1,2\n3,4\n";
  reads(gzip(text), {2, 2}, {1, 2, 3, 4});
  reads(gzip("x,y\n1,") + gzip("2\n3,4"), {2, 2}, {1, 2, 3, 4});
  rejects(gzip(text) + "5,6\n", {}, "bytes that are not gzip data follow");
  rejects(gzip(text), {.max_inflated_bytes = 11}, "want at most 11 bytes after decompression", "max_inflated_bytes");
  CHECK(read(gzip(text), {.max_inflated_bytes = 12}).values.shape() == Shape{2, 2});
}

TEST_CASE("read_csv reads lines and files that are larger than its buffers") {
  std::string text;
  std::vector<double> values;
  for (int i = 0; i < 100'000; ++i) {
    text += std::to_string(i) + (i % 50'000 == 49'999 ? "\r\n" : ",");
    values.push_back(i);
  }
  reads(text, {2, 50'000}, values);
  reads(gzip(text), {2, 50'000}, values);
}

TEST_CASE("read_csv gives the same values and the same first error on any number of threads") {
  std::string text = "a,b\n";
  std::vector<double> values;
  for (int i = 0; i < 60'000; ++i) {
    text += std::to_string(i) + "," + std::to_string(i % 7) + ".5\n";
    values.insert(values.end(), {double(i), i % 7 + 0.5});
  }
  std::string two_errors = text + "1\n";  // more than a block before the end
  two_errors.replace(two_errors.find("\n20000,") + 1, 5, "2000x");
  const std::string blank = text + "\n \n" + text.substr(4);
  for (const int threads : {1, 2, 3}) {
    CAPTURE(threads);
    const ThreadCount use(threads);
    reads(text + "\n\r\n", {60'000, 2}, values);
    rejects(two_errors, {}, "line 20002, column 1 'a': want a number; got '2000x'");
    rejects(blank, {}, "line 60002: want a row; got a blank line, and more text in line 60004");
  }
}

TEST_CASE("read_csv refuses what it cannot read twice") {
  const TempDir dir;
  const auto path = dir.path() / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(path) << "1,2\n"; });
  check_throws<DataError>([&] { read_csv(path); }, "pipe'", "want a regular file, as it is read twice");
  writer.join();
}

TEST_CASE("a first line that is much wider than the others costs no memory") {
  std::string text = "1", ragged;
  for (int i = 0; i < 400'000; ++i) text += ",1";
  for (int i = 0; i < 400'000; ++i) ragged += "\n1";
  rejects(text + ragged, {}, "line 2: want 400001 columns as in line 1; got 1");
}

TEST_CASE("read_csv says why a file cannot be read") {
  const TempDir dir;
  check_throws<DataError>([&] { read_csv(dir.path() / "none.csv"); }, "read_csv: '", "none.csv'", "No such file");
  check_throws<DataError>([&] { read_csv(dir.path()); }, "want a file; got a directory");
}

TEST_CASE("read_csv rejects a table without rows") {
  for (const auto* text : {"", "\n", "\n \r\n", "\xEF\xBB\xBF"}) rejects(text, {}, "got an empty file");
  for (const auto* text : {"a,b", "a,b\n", "a,b\n\n\n"}) rejects(text, {}, "got only a header");
  rejects("1,2\n", {.header = true}, "got only a header");
}

TEST_CASE("read_csv names the line of a row of another length") {
  rejects("a,b,c,d\n1,2,3,4\n1,2,3\n", {}, "a.csv' line 3: want 4 columns as in line 1; got 3");
  rejects("1,2\n1,2,\n", {}, "line 2: want 2 columns as in line 1; got 3");
  rejects("1,2\n\n\n3,4\n", {}, "line 2: want a row; got a blank line, and more text in line 4");
  rejects("\n1,2\n", {}, "line 1: want a row; got a blank line");
  rejects("1\n\r\r\n", {}, "line 2, column 1 '0': want a number; got '\\x0d'");
}

TEST_CASE("read_csv names line and column of a cell that is not a number") {
  rejects("a,b\n1,2\n1,x\n", {}, "a.csv' line 3, column 2 'b': want a number; got 'x'");
  rejects("a,b\n1,\n", {}, "line 2, column 2 'b': want a number; got an empty cell");
  rejects("1,2\n,2\n", {}, "line 2, column 1 '0': want a number; got an empty cell");
  rejects("1,2\n3,\"\"\n", {}, "line 2, column 2 '1': want a number; got an empty cell");
  for (const std::string cell :
       {"0x10", "1e", "1 2", "--1", "+-1", "++1", "+", "-", ".", "1_000", "NA", "1.0f", "\"\"\"1\""})
    rejects("1\n" + cell + "\n", {}, "line 2, column 1 '0': want a number; got '");
  try {
    read("a\n1\n2\nx\n");
  } catch (const DataError& error) {
    CHECK(error.row == 2);
  }
}

TEST_CASE("read_csv suggests what may have been meant") {
  rejects("a;b\n1;1,5\n", {.delimiter = ';'}, "line 2, column 2 'b': want a number; got '1,5'; write a decimal point");
  rejects("a,b\n1,\"1,5\"\n", {}, "got '1,5'; write a decimal point, not a comma");
  rejects("1;2\n3;4\n", {}, "line 2, column 1 '1;2': want a number; got '3;4'; is the delimiter ';' instead of ','?");
  rejects("1,2\n3,x\n", {}, "line 2, column 2 '1': want a number; got 'x'");
  rejects("1.x,2\n3,4\n", {}, "line 1, column 1 '0': want a number; got '1.x'; if the first line is a header");
  rejects("a,\n1,2\n", {},
          "line 1, column 2: want a column name; got an empty cell; if the first line is not a header");
}

TEST_CASE("read_csv quotes text of a file shortened and without control characters") {
  rejects("a\n\x1B[31m\n", {}, "got '\\x1b[31m'");
  rejects("a\n" + std::string(1000, 'z') + "\n", {}, "got '" + std::string(40, 'z') + "...'");
}

TEST_CASE("read_csv rejects two columns with the same name") {
  rejects("a,b,a\n1,2,3\n", {}, "line 1: want different column names; got 'a' twice");
}

TEST_CASE("read_csv rejects quotes that are not closed, or closed too early") {
  rejects("a,b\n1,\"2\n", {}, "line 2, column 2 'b': want a closing quote on the same line");
  rejects("a,b\n1,\"\n", {}, "line 2, column 2 'b': want a closing quote on the same line");
  rejects("a,b\n1,\"2\"\"\n", {}, "line 2, column 2 'b': want a closing quote on the same line");
  rejects("\"a\nb\",c\n1,2\n", {}, "line 1, column 1: want a closing quote on the same line");
  rejects("a,b\n\"1\"2,3\n", {}, "line 2, column 1 'a': want the cell to end with its quote; got '2,3' after it");
}

TEST_CASE("read_csv rejects NUL bytes") {
  rejects(std::string("1,2\n3,\0004\n", 9), {}, "line 2: want text in UTF-8; got a NUL in byte 3");
  rejects(std::string("1\0,\0002\0\n\0", 8), {}, "line 1: want text in UTF-8; got a NUL in byte 2");
}

TEST_CASE("read_csv rejects numbers that are not finite unless they are allowed") {
  for (const std::string cell : {"nan", "NaN", "inf", "-inf", "Infinity"}) {
    rejects("a,b\n1," + cell + "\n", {}, "line 2, column 2 'b': want a finite number; got '" + cell + "'",
            "allow_non_finite = true");
    const auto table = read("a,b\n1," + cell + "\n", {.allow_non_finite = true});
    CHECK_FALSE(std::isfinite(table.values.at({0, 1})));
  }
  rejects("nan,1\n", {}, "line 1, column 1 '0': want a finite number");
}

TEST_CASE("read_csv rejects numbers out of range, also where infinity is allowed") {
  const std::string large = sizeof(Scalar) == 4 ? "1e39" : "1e309";
  for (const std::string& cell : {large, "-" + large, std::string("1e999")})
    for (const bool allow : {false, true})
      rejects("a\n" + cell + "\n", {.allow_non_finite = allow}, "line 2, column 1 'a': want a number in the range of ",
              "got '" + cell + "'");
}

TEST_CASE("read_csv rejects lines above the limit without reading on") {
  reads("1,22\n3,4\n", {2, 2}, {1, 22, 3, 4}, {.max_line_bytes = 4});
  rejects("1,22\n3,444\n", {.max_line_bytes = 4}, "line 2: want at most 4 bytes in a line; got more", "max_line_bytes");
  rejects("a\n" + std::string((1 << 20) + 1, '1'), {}, "line 2: want at most 1048576 bytes in a line");
  rejects(gzip("a\n" + std::string(20'000'000, '1')), {}, "line 2: want at most 1048576 bytes in a line");
  check_throws<OptionError>([] { read("1", {.max_line_bytes = 0}); }, "max_line_bytes > 0");
}

TEST_CASE("read_csv does not depend on the locale") {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"})
    if (std::setlocale(LC_NUMERIC, name)) break;
  reads("1.5,2\n", {1, 2}, {1.5, 2});
  std::setlocale(LC_NUMERIC, before.c_str());
}

TEST_CASE("a table lists its columns when none has the name asked for") {
  const auto table = read("a,b\n1,2\n");
  check_throws<OptionError>([&] { table.column("y"); }, "a.csv'", "want one of the columns 'a', 'b'; got 'y'");
  CHECK(table.column("b") == 1);
  std::string wide = "0";
  for (int i = 1; i < 100; ++i) wide += ",0";
  check_throws<OptionError>([&] { read(wide).column("y"); }, "'28', '29', ... (100 in all); got 'y'");
}

TEST_CASE("read_csv rejects every truncation of a compressed file") {
  const std::string bytes = gzip("a,b\n1,2\n3,4\n");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    check_throws<DataError>([&] { read(bytes.substr(0, size)); }, "read_csv");
  }
}

TEST_CASE("read_csv loads or rejects a file with any flipped byte") {
  const TempDir dir;
  const std::string plain = "a,\"b\"\"c\"\r\n1,-2.5e1\n+3, \"4\"\n";
  int rejected = 0;
  for (const auto& bytes : {plain, gzip(plain)}) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (int mask = 1; mask < 256; mask += bytes == plain ? 1 : 23) {
        auto flipped = bytes;
        flipped[i] = static_cast<char>(flipped[i] ^ mask);
        CAPTURE(i);
        CAPTURE(mask);
        try {
          const CsvTable table = read_csv(dir.write("x", flipped));
          CHECK(table.values.size() > 0);
        } catch (const DataError&) {
          ++rejected;
        }
      }
    }
  }
  CHECK(rejected > 0);
}

TEST_CASE("a number that stands for a missing value is noted with its column when a CSV file is read") {
  std::string text = "age,weight\n", clean = text;
  for (int i = 0; i < 100; ++i) {
    const std::string age = std::to_string(20 + i * 37 % 61), weight = std::to_string(50 + i * 53 % 47);
    text += age + "," + (i % 10 == 3 ? "-999" : weight) + "\n";
    clean += age + "," + weight + "\n";
  }
  const CsvTable table = read(text);
  REQUIRE(table.notes.size() == 1);
  CHECK(table.notes[0].find("column 2 'weight': -999 in 10 % of the rows, 50 to 96 in all others") == 0);
  CHECK(read(clean).notes.empty());
}
