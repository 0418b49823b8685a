// What the defaults say of healthy tables: two networks on each table of tests/reference/generate_tables.py, with
// nothing but the epochs given. A warning is a false alarm. A table of docs/zero_config.md.
// usage: calm FOLDER...
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "scores/tables.h"

using namespace handrail;
using namespace handrail::train;

namespace {

struct Tally {
  int runs = 0, warned = 0, noted = 0;
  std::map<std::string, int> warnings, notes;  // in how many runs
};

void run(const std::filesystem::path& path, const std::vector<Index>& hidden, Index epochs, Tally& tally) {
  const bool regression = path.stem().extension() == ".values";
  const TableData table =
      load_csv(path, {.targets = {"target"}, .kind = regression ? Target::value : Target::class_index});
  const auto [rows, test] = random_split(table.data, 0.2);
  const Index classes = regression ? 0 : std::ssize(table.encoder.classes);
  std::vector<Index> widths{table.encoder.width()};
  widths.insert(widths.end(), hidden.begin(), hidden.end());
  widths.push_back(std::max<Index>(classes, 1));
  constexpr std::uint64_t seed = 42;
  nn::Sequential model = bench::mlp(widths, seed);
  Trainer trainer{model, bench::loss_of(classes), bench::options_of(classes, epochs, seed)};
  const FitResult result = trainer.fit(rows);
  const double score = bench::score_of(trainer.evaluate(test));
  ++tally.runs;
  bool warned = false, noted = false;
  for (const Anomaly& anomaly : result.diagnosis()) {
    const bool warning = anomaly.severity == Severity::warning;
    (warning ? warned : noted) = true;
    ++(warning ? tally.warnings : tally.notes)[anomaly.name];
    if (warning)
      std::printf("%s, %zu layers, score %.1f, lr %.2g: %s: %s\n", path.filename().c_str(), hidden.size() + 1, score,
                  result.lr, anomaly.name.c_str(), anomaly.evidence.c_str());
  }
  tally.warned += warned;
  tally.noted += noted;
}

void print(const char* what, const std::map<std::string, int>& names) {
  std::printf("%s:", what);
  for (const auto& [name, count] : names) std::printf(" %s %d", name.c_str(), count);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: calm FOLDER...\n");
    return 2;
  }
  set_num_threads(1);
  std::vector<std::filesystem::path> tables;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) tables.push_back(entry.path());
  std::ranges::sort(tables);
  Tally tally;
  for (const std::filesystem::path& path : tables) {
    run(path, {32}, 50, tally);
    run(path, {64, 32}, 100, tally);
  }
  std::printf("%d runs of %zu tables: %d with a warning (%.1f %%), %d with a note\n", tally.runs, tables.size(),
              tally.warned, 100.0 * tally.warned / std::max(1, tally.runs), tally.noted);
  print("warnings", tally.warnings);
  print("notes", tally.notes);
} catch (const std::exception& error) {
  std::fprintf(stderr, "calm: %s\n", error.what());
  return 1;
}
