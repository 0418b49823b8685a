#include <doctest/doctest.h>

#include <string>

#include <handrail/core/error.h>
#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tensors.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

// Rows whose class follows from the age and the town; every tenth age is missing.
std::string people(int rows) {
  std::string text = "town,age,buys\n";
  for (int i = 0; i < rows; ++i) {
    const int age = i * 37 % 61;
    text += std::string(i % 2 ? "Ulm," : "Bonn,") + (i % 10 == 3 ? "" : std::to_string(age)) +
            (age > (i % 2 ? 20 : 40) ? ",yes\n" : ",no\n");
  }
  return text;
}

TableData people_table(const TempDir& dir) { return load_csv(dir.write("a.csv", people(300)), {.targets = {"buys"}}); }

nn::Sequential model_for(const TableEncoder& table, std::uint64_t seed) {
  Rng rng(seed);
  return nn::Sequential{nn::BatchNorm1d{table.width()}, nn::Linear{table.width(), 8, rng}, nn::ReLU{},
                        nn::Linear{8, 2, rng}};
}

}  // namespace

TEST_CASE("a table's encoder is the same after it was saved and loaded") {
  const TempDir dir;
  TableEncoder encoder = people_table(dir).encoder;
  encoder.allow_unknown = true;
  save_table(encoder, dir.path() / "table.hrt");
  const TableEncoder loaded = load_table(dir.path() / "table.hrt");
  CHECK(loaded.text() == encoder.text());
  CHECK(loaded.input_names() == encoder.input_names());
  CHECK(loaded.classes == encoder.classes);
  for (const char* row : {"Ulm,40", "Bonn,", "Rome,NA"})
    CHECK(same_bits(loaded.inputs_of(row), encoder.inputs_of(row)));
}

TEST_CASE("a saved model predicts a row of a table that is given as text") {
  const TempDir dir;
  const TableData table = people_table(dir);
  nn::Sequential model = model_for(table.encoder, 1), other = model_for(table.encoder, 2);
  train::Trainer trainer(model, cross_entropy, quiet({.epochs = 3, .lr = 0.01, .table = table.encoder}));
  trainer.fit(table.data);
  trainer.save_model(dir.path() / "model.hrm");

  train::Trainer loaded(other, cross_entropy, quiet({.epochs = 1}));
  loaded.load_model(dir.path() / "model.hrm");
  const ModelInfo& info = loaded.model_info();
  REQUIRE(info.table);
  CHECK(info.class_names == std::vector<std::string>{"no", "yes"});
  for (const char* row : {"Ulm,40", "Bonn,,no"})
    CHECK(same_bits(loaded.predict(info.table->inputs_of(row)), trainer.predict(table.encoder.inputs_of(row))));
  CHECK(load_table(dir.path() / "model.hrm").text() == table.encoder.text());
}

TEST_CASE("a checkpoint holds the table of its run") {
  const TempDir dir;
  const TableData table = people_table(dir);
  nn::Sequential model = model_for(table.encoder, 1);
  TrainerOptions options = quiet({.epochs = 2, .lr = 0.01, .table = table.encoder});
  options.checkpoints = CheckpointOptions{.dir = dir.path() / "run"};
  train::Trainer trainer(model, cross_entropy, options);
  const FitResult result = trainer.fit(table.data);
  int found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path() / "run"))
    if (entry.path().extension() == ".hrc")
      found += load_table(entry.path()).text() == table.encoder.text() ? 1 : -100;
  CHECK(found > 0);
}

TEST_CASE("a file without a table, a damaged one and a forged one are refused") {
  const TempDir dir;
  TableEncoder encoder = people_table(dir).encoder;
  nn::Sequential model = model_for(encoder, 1);
  save_weights(model, dir.path() / "weights.hrc");
  check_throws<CheckpointError>([&] { load_table(dir.path() / "weights.hrc"); }, "load_table: '", "weights.hrc'",
                                "has no section 'table'");
  save_table(encoder, dir.path() / "table.hrt");
  const std::string bytes = dir.read("table.hrt");
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    CAPTURE(size);
    const auto path = dir.write("cut", bytes.substr(0, size));
    check_throws<CheckpointError>([&] { load_table(path); }, "load_table: '");
  }
  encoder.columns[0].name = encoder.columns[1].name;
  check_throws<CheckpointError>([&] { save_table(encoder, dir.path() / "odd.hrt"); }, "save_table: '",
                                "want a table whose parts fit", "column 'age'");
  check_throws<OptionError>([&] { train::Trainer(model, cross_entropy, {.epochs = 1, .table = encoder}); },
                            "want table that load_csv or load_table made", "column 'age'");
}
