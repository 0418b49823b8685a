#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/data/table/table_encoder.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tensors.h"

using namespace handrail;
using namespace handrail::train;

namespace {

using Names = std::vector<std::string>;

// Inputs: town = Bonn, town = Ulm, age, age is missing, size. Classes: no, yes.
TableEncoder people() {
  const TempDir dir;
  const auto path = dir.write("train.csv",
                              "id,town,age,size,buys\n"
                              "1,Ulm,20,1.5,no\n"
                              "2,Bonn,,1.7,yes\n"
                              "3,Ulm,40,1.6,no\n");
  return load_csv(path, {.targets = {"buys"}, .leave_out = {"id"}}).encoder;
}

TensorDataset load(const TableEncoder& encoder, const std::string& text) {
  const TempDir dir;
  return encoder.load(dir.write("b.csv", text));
}

Tensor inputs(const TableEncoder& encoder, const std::string& text) {
  const TempDir dir;
  return encoder.inputs(dir.write("b.csv", text));
}

}  // namespace

TEST_CASE("an encoder makes the same inputs of another file, and the medians of the first") {
  const TensorDataset data = load(people(), "id,town,age,size,buys\n9,Bonn,NA,2,yes\n8,Bonn,60,3,yes\n");
  check_values(data.inputs(), {1, 0, 20, 1, 2, 1, 0, 60, 0, 3});
  check_values(data.targets(), {1, 1});
}

TEST_CASE("an encoder finds columns by their names, and needs neither others nor, for inputs, the targets") {
  check_values(inputs(people(), "age,more,size,town\n60,x,3,Ulm\n"), {0, 1, 60, 0, 3});
  check_throws<DataError>([] { inputs(people(), "age,more\n60,x\n"); }, "TableEncoder::inputs: '", "b.csv'",
                          "'town', 'size' lacking");
  check_throws<DataError>([] { load(people(), "age,size,town\n60,3,Ulm\n"); }, "TableEncoder::load: '",
                          "'buys' lacking");
}

TEST_CASE("an encoder takes one row as text, with or without the targets") {
  const TableEncoder encoder = people();
  const Tensor x = encoder.inputs_of("7,Ulm,33,1.8,yes");
  CHECK(x.shape() == Shape{1, 5});
  check_values(x, {0, 1, 33, 0, 1.8});
  check_values(encoder.inputs_of(" 7, \"Ulm\", 33, 1.8\r\n"), {0, 1, 33, 0, 1.8});
  check_values(encoder.inputs_of("7,Bonn,?,1.8"), {1, 0, 20, 1, 1.8});
  check_throws<DataError>([&] { encoder.inputs_of("7,Ulm,33"); }, "TableEncoder::inputs_of: want 5 cells, or 4",
                          "without the targets; got 3");
  check_throws<DataError>([&] { encoder.inputs_of(""); }, "got 1");
  check_throws<DataError>([&] { encoder.inputs_of("7,Ulm,3x,1"); }, "column 3 'age': want a number; got '3x'");
  check_throws<DataError>([&] { encoder.inputs_of("7,Ulm,inf,1"); }, "column 3 'age': want a finite number");
}

TEST_CASE("an encoder refuses what it has not seen, or on request leaves it out") {
  TableEncoder encoder = people();
  check_throws<DataError>([&] { encoder.inputs_of("7,Köln,33,1"); }, "column 2 'town': want one of the 2 texts",
                          "got 'Köln'", "allow_unknown = true");
  check_throws<DataError>([&] { encoder.inputs_of("7,,33,1"); }, "column 2 'town'", "got a missing cell");
  check_throws<DataError>([&] { encoder.inputs_of("7,Ulm,33,NA"); }, "column 4 'size': want a number, as no cell was",
                          "missing", "allow_unknown = true");
  check_throws<DataError>([&] { load(encoder, "id,town,age,size,buys\n9,Ulm,1,2,perhaps\n"); },
                          "line 2, column 5 'buys': want one of the 2 classes", "got 'perhaps'");
  encoder.allow_unknown = true;
  check_values(encoder.inputs_of("7,Köln,33,1"), {0, 0, 33, 0, 1});
  check_values(encoder.inputs_of("7,,33,1"), {0, 0, 33, 0, 1});
  check_values(encoder.inputs_of("7,Ulm,33,NA"), {0, 1, 33, 0, 1.6});
  check_throws<DataError>([&] { load(encoder, "id,town,age,size,buys\n9,Ulm,1,2,perhaps\n"); }, "got 'perhaps'");
}

TEST_CASE("an encoder puts a text that it has not seen with those it has pooled") {
  const TempDir dir;
  std::string text = "t,y\n";
  for (int i = 0; i < 6; ++i) text += std::string("a,0\nb,1\n") + std::to_string(i) + "x,1\n";
  const TableData table = load_csv(dir.write("a.csv", text), {.targets = {"y"}, .max_categories = 3});
  check_values(table.encoder.inputs_of("new"), {0, 0, 1});
  check_values(table.encoder.inputs_of("b"), {0, 1, 0});
}

TEST_CASE("an encoder of a file without a header takes columns by their position") {
  const TempDir dir;
  const TableEncoder encoder =
      load_csv(dir.write("a.csv", "5,0,u\n6,1,v\n"), {.targets = {"1"}, .kind = Target::value}).encoder;
  check_values(load(encoder, "7,3,v\n").inputs(), {7, 0, 1});
  check_values(load(encoder, "7,3,v\n").targets(), {3});
  check_values(inputs(encoder, "7,3,v\n"), {7, 0, 1});
  check_values(inputs(encoder, "7,v\n8,u\n"), {7, 0, 1, 8, 1, 0});
  check_throws<DataError>([&] { load(encoder, "7,v\n"); }, "want 3 columns; got 2");
  check_throws<DataError>([&] { inputs(encoder, "7\n"); }, "want 3 columns, or 2 without the targets; got 1");
}

TEST_CASE("an encoder of numeric classes takes a number however it is written") {
  const TempDir dir;
  const TableEncoder encoder = load_csv(dir.write("a.csv", "a,y\n5,1\n6,3\n"), {.targets = {"y"}}).encoder;
  check_values(load(encoder, "a,y\n1,3.0\n2,+1\n3,3e0\n").targets(), {1, 0, 1});
  check_throws<DataError>([&] { load(encoder, "a,y\n1,2\n"); }, "want one of the 2 classes", "got '2'");
}

TEST_CASE("an encoder reads the delimiter and the codes that it was fitted with") {
  const TempDir dir;
  const TableEncoder encoder = load_csv(dir.write("a.csv", "a;b;y\n5;1;0\n-1;2;1\n"),
                                        {.targets = {"y"}, .missing = {"-1"}, .csv = {.delimiter = ';'}})
                                   .encoder;
  check_values(encoder.inputs_of("-1;7"), {5, 1, 7});
}

TEST_CASE("an encoder says what it does in one screen, however many columns there are") {
  std::string header, row;
  for (int i = 0; i < 300; ++i) {
    header += "column" + std::to_string(i) + ",";
    row += i % 3 ? "NA," : "1,";
  }
  const TempDir dir;
  const std::string text =
      load_csv(dir.write("a.csv", header + "y\n" + row + "1\n"), {.targets = {"y"}}).encoder.text();
  CHECK(std::ranges::count(text, '\n') <= 24);
  CHECK(text.find("more, see TableEncoder::columns") != std::string::npos);
  CHECK(people().text() ==
        "3 rows, 5 columns -> 5 inputs; target 'buys': 2 classes 'no', 'yes'\n"
        "  1 number: 'size'\n"
        "  'id': left out: as asked for\n"
        "  'town': category; 'Bonn', 'Ulm'\n"
        "  'age': number; 1 missing cell: the median 20, and an input that says where\n");
}

TEST_CASE("an encoder with fields that contradict each other is known") {
  CHECK(people().problem().empty());
  const auto odd = [](auto&& change) {
    TableEncoder encoder = people();
    change(encoder);
    return !encoder.problem().empty();
  };
  CHECK(odd([](TableEncoder& e) { e.columns[0].name = "age"; }));
  CHECK(odd([](TableEncoder& e) { e.columns[2].median = 1e300 * 1e300; }));
  CHECK(odd([](TableEncoder& e) { e.columns[2].missing = -1; }));
  CHECK(odd([](TableEncoder& e) { e.columns[2].values = {"a"}; }));
  CHECK(odd([](TableEncoder& e) { std::swap(e.columns[1].values[0], e.columns[1].values[1]); }));
  CHECK(odd([](TableEncoder& e) { e.columns[4].role = TableColumn::Role::number; }));
  CHECK(odd([](TableEncoder& e) { e.targets = {}; }));
  CHECK(odd([](TableEncoder& e) { e.targets = {"buys", "buys"}; }));
  CHECK(odd([](TableEncoder& e) { e.classes = {"no", "no"}; }));
  CHECK(odd([](TableEncoder& e) { e.classes = {}; }));
  CHECK(odd([](TableEncoder& e) { e.csv.header = std::nullopt; }));
  CHECK(odd([](TableEncoder& e) { e.csv.delimiter = 'e'; }));
  CHECK(odd([](TableEncoder& e) { e.rows = 0; }));
}
