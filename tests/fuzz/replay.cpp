// Runs a target without libFuzzer: every seed, which must load; every file of `regressions`, whose answer
// must be the one in its list; every truncation of a seed, and mutations that are the same every time.
//   replay SEEDS REGRESSIONS ANSWERS

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <vector>

#include <handrail/core/random.h>

#include "target.h"

namespace {

using Files = std::map<std::string, std::string>;  // content by name

int failures = 0;

void report(const std::string& input, const std::string& what) {
  std::cout << input << ": " << what << '\n';
  ++failures;
}

Files files_in(const std::filesystem::path& directory) {
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = std::string(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

// Lines of a file name, a colon, a blank, and what its answer contains, or "loads".
Files read_answers(const std::filesystem::path& path) {
  Files answers;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos)
      report(path.string(), "want 'file: text' in a line; got '" + line + "'");
    else
      answers[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return answers;
}

// The answer; a finding is reported.
std::string run(const std::string& name, std::string_view bytes) {
  try {
    return fuzz::answer(bytes).value_or("loads");
  } catch (const std::exception& finding) {
    report(name, finding.what());
    return "a finding";
  }
}

void expect(const std::string& name, const std::string& bytes, const std::string& want) {
  std::cout << name << std::endl;  // known even if the program ends in it
  const std::string got = run(name, bytes);
  if (got.find(want) == std::string::npos) report(name, "want '" + want + "'; got '" + got + "'");
}

void truncate(const std::string& name, const std::string& bytes) {
  for (std::size_t size = 0; size < bytes.size(); ++size)
    run(name + " cut to " + std::to_string(size) + " bytes", std::string_view(bytes).substr(0, size));
}

// Every byte becomes others, vanishes and appears twice; then several changes at once.
void mutate(const std::string& name, const std::string& bytes) {
  const auto run_changed = [&](std::size_t at, const char* how, auto&& change) {
    std::string changed = bytes;
    change(changed);
    const std::string label = name + " byte " + std::to_string(at) + " " + how;
    run(label, changed);
    if (!fuzz::target.mend) return;
    fuzz::target.mend(changed);
    run(label + ", mended", changed);
  };
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    run_changed(at, "zero", [at](std::string& s) { s[at] = '\0'; });
    run_changed(at, "all ones", [at](std::string& s) { s[at] = '\xFF'; });
    run_changed(at, "lowest bit flipped", [at](std::string& s) { s[at] = static_cast<char>(s[at] ^ 1); });
    run_changed(at, "highest bit flipped", [at](std::string& s) { s[at] = static_cast<char>(s[at] ^ 0x80); });
    run_changed(at, "erased", [at](std::string& s) { s.erase(at, 1); });
    run_changed(at, "doubled", [at](std::string& s) { s.insert(at, 1, s[at]); });
  }
  handrail::Rng rng(bytes.size());
  for (std::size_t trial = 0; trial < 200; ++trial)
    run_changed(trial, "is the trial of many changes", [&](std::string& s) {
      for (std::uint64_t changes = 2 + rng.below(6); changes > 0; --changes)
        s[rng.below(s.size())] = static_cast<char>(rng.below(256));
    });
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: replay SEEDS REGRESSIONS ANSWERS\n";
    return 2;
  }
  const Files seeds = files_in(arguments[1]), regressions = files_in(arguments[2]);
  const Files answers = read_answers(arguments[3]);
  if (seeds.empty() || regressions.empty()) report("replay", "want seeds and regressions; got none");
  for (const auto& [name, bytes] : seeds) expect(name, bytes, "loads");
  for (const auto& [name, bytes] : regressions)
    if (const auto want = answers.find(name); want != answers.end())
      expect(name, bytes, want->second);
    else
      report(name, "want its answer in the list; got none");
  for (const auto& [name, answer] : answers)
    if (!regressions.contains(name)) report(name, "in the list of answers, but there is no such file");
  for (const auto& [name, bytes] : seeds) {
    truncate(name, bytes);
    mutate(name, bytes);
  }
  std::cout << failures << " failures\n";
  return failures == 0 ? 0 : 1;
}
