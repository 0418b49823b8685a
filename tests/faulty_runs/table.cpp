#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "campaign.h"

namespace faulty_runs {
namespace {

using Counts = std::array<int, verdicts>;

void row(const std::string& name, const Counts& counts, int harmful, const std::string& remark) {
  int runs = 0;
  for (const int count : counts) runs += count;
  std::printf("%-36s %5d %7d", name.c_str(), runs, harmful);
  for (const int count : counts) std::printf(" %9s", count == 0 ? "." : std::to_string(count).c_str());
  std::printf("  %s\n", remark.c_str());
}

std::string join(const std::vector<std::string>& words, const char* between = " ") {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::vector<std::string> names(const Outcome& outcome, std::size_t count) {
  std::vector<std::string> list;
  for (const Finding& f : outcome.diagnosis)
    if (list.size() < count) list.push_back(f.name);
  return list;
}

// What was said in place of the right name, with how often.
std::string instead(const std::vector<const FaultRun*>& runs) {
  std::map<std::string, int> said;
  for (const FaultRun* run : runs) {
    if (run->verdict != Verdict::wrong && run->verdict != Verdict::symptom && run->verdict != Verdict::broken) continue;
    if (run->outcome.end != End::trained)
      ++said["\"" + run->outcome.error.substr(0, 60) + "\""];
    else
      ++said[first_warning(run->outcome)->name];
  }
  std::vector<std::string> list;
  for (const auto& [name, count] : said) list.push_back(name + " " + std::to_string(count));
  return join(list, ", ");
}

double percent(int part, int whole) { return 100.0 * part / std::max(1, whole); }

void print_faults(const Results& results, const Settings& settings) {
  std::printf("%-36s %5s %7s", "fault", "runs", "harmful");
  for (int v = 0; v < verdicts; ++v) std::printf(" %9s", to_string(static_cast<Verdict>(v)));
  std::printf("  said instead\n");
  Counts all{}, harmful{};
  int harmful_runs = 0;
  for (const Fault& fault : faults()) {
    Counts counts{};
    int harm = 0;
    std::vector<const FaultRun*> runs;
    for (const FaultRun& run : results.faults) {
      if (run.fault != &fault) continue;
      runs.push_back(&run);
      const auto v = static_cast<std::size_t>(run.verdict);
      ++counts[v], ++all[v];
      harm += run.harmful;
      if (run.harmful) ++harmful[v], ++harmful_runs;
      if (settings.verbose)
        std::printf("%s, %s, seed %llu: %s%s, score %.4f, reported %.4f\n%s%s\n", fault.name.c_str(), run.task.c_str(),
                    static_cast<unsigned long long>(run.seed), to_string(run.verdict), run.harmful ? ", harmful" : "",
                    run.outcome.score, run.outcome.reported.value_or(0), run.outcome.text.c_str(),
                    run.outcome.error.c_str());
    }
    if (!runs.empty()) row(fault.name, counts, harm, instead(runs));
  }
  row("all", all, harmful_runs, "");
  const auto share = [&](Verdict v) { return percent(harmful[static_cast<std::size_t>(v)], harmful_runs); };
  std::printf(
      "of %d harmful runs: first %.1f %%, among three %.1f %%, symptom %.1f %%, wrong %.1f %%, silent %.1f %%\n",
      harmful_runs, share(Verdict::first), share(Verdict::first) + share(Verdict::among_three), share(Verdict::symptom),
      share(Verdict::wrong), share(Verdict::silent));
}

// Whether the fault, planted alone in the same program, does no harm and needs no name.
bool is_prevented(const Results& results, const Fault& fault, const std::string& task, const Settings& settings) {
  return std::ranges::any_of(results.faults, [&](const FaultRun& run) {
    return run.fault == &fault && run.task == task && run.seed == settings.first_seed &&
           run.verdict == Verdict::prevented;
  });
}

void print_pairs(const Results& results, const Settings& settings) {
  if (results.pairs.empty()) return;
  constexpr std::size_t top = 3;
  int both = 0, one = 0, refused = 0, harmful = 0, both_harmful = 0;
  for (const PairRun& run : results.pairs) {
    const int named = names_it(*run.first, run.outcome, top) + names_it(*run.second, run.outcome, top);
    both += named == 2;
    one += named == 1;
    refused += run.outcome.end != End::trained;
    const bool prevented =
        is_prevented(results, *run.first, run.task, settings) || is_prevented(results, *run.second, run.task, settings);
    harmful += !prevented;
    both_harmful += !prevented && named == 2;
    if (settings.verbose)
      std::printf("%s + %s, %s: %d named%s; %s\n", run.first->name.c_str(), run.second->name.c_str(), run.task.c_str(),
                  named, prevented ? ", one does no harm" : "",
                  run.outcome.end == End::trained ? join(names(run.outcome, 5)).c_str() : run.outcome.error.c_str());
  }
  std::printf("%zu pairs of faults: both among three %d, one of them %d, neither %zu, of which %d ended by an error\n",
              results.pairs.size(), both, one, results.pairs.size() - static_cast<std::size_t>(both + one), refused);
  std::printf("of the %d pairs of which neither is prevented when it is alone: both among three %d (%.1f %%)\n",
              harmful, both_harmful, percent(both_harmful, harmful));
}

void print_healthy(const Results& results, const Settings& settings) {
  if (results.healthy.empty()) return;
  struct Alarm {
    int warnings = 0, notes = 0;
    std::vector<std::string> programs = {};
  };
  std::map<std::string, Alarm> alarms;
  int quiet = 0, noted = 0, failed = 0, broken = 0, runs = 0;
  for (const HealthyRun& run : results.healthy) {
    if (settings.verbose)
      std::printf("%s: score %.4f%s; %s%s\n%s", run.description.c_str(), run.outcome.score,
                  run.failed ? ", failed" : "", join(names(run.outcome, 9)).c_str(), run.outcome.error.c_str(),
                  run.outcome.text.c_str());
    if (run.outcome.end != End::trained) {
      ++broken;
      alarms["\"" + run.outcome.error.substr(0, 60) + "\""].programs.push_back(run.description);
      continue;
    }
    failed += run.failed;
    if (run.failed) continue;
    ++runs;
    bool warned = false, has_note = false;
    for (const Finding& finding : run.outcome.diagnosis) {
      Alarm& alarm = alarms[finding.name];
      ++(finding.is_warning ? alarm.warnings : alarm.notes);
      (finding.is_warning ? warned : has_note) = true;
      alarm.programs.push_back(run.description);
    }
    quiet += !warned;
    noted += has_note;
  }
  std::printf(
      "\n%zu healthy runs: %d failed all the same, %d ended by an error; of the other %d, %d without a warning, "
      "%d (%.1f %%) with a false alarm, %d (%.1f %%) with a note\n",
      results.healthy.size(), failed, broken, runs, quiet, runs - quiet, percent(runs - quiet, runs), noted,
      percent(noted, runs));
  std::printf("%-28s %8s %6s  for example\n", "false alarm", "warnings", "notes");
  for (const auto& [name, alarm] : alarms)
    for (std::size_t i = 0; i < std::min<std::size_t>(3, alarm.programs.size()); ++i)
      if (i == 0)
        std::printf("%-28s %8d %6d  %s\n", name.c_str(), alarm.warnings, alarm.notes, alarm.programs[i].c_str());
      else
        std::printf("%-28s %8s %6s  %s\n", "", "", "", alarm.programs[i].c_str());
}

std::string code(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const auto& word : words) quoted.push_back("`" + word + "`");
  return join(quoted, ", ");
}

}  // namespace

void print(const Results& results, const Settings& settings) {
  print_faults(results, settings);
  print_pairs(results, settings);
  print_healthy(results, settings);
  std::printf("\n%zu runs, %.0f s\n", results.faults.size() + results.pairs.size() + results.healthy.size(),
              results.seconds);
}

std::string fault_table() {
  std::string text =
      "| fault | subject | part | what is planted | names that count |\n| --- | --- | --- | --- | --- |\n";
  for (const Fault& fault : faults()) {
    const std::string loop = fault.own_loop ? "own loop" : fault.subject;
    text += concat("| ", fault.name, " | ", loop, " | ", to_string(part_of_fault(fault)), " | ", fault.planted, " | ",
                   code(fault.causes), fault.refusal.empty() ? "" : ", or refused", " |\n");
  }
  return text;
}

void print_list() { std::printf("%s", fault_table().c_str()); }

}  // namespace faulty_runs
