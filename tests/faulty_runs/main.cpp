// faulty_runs: plants mistakes in programs, and tells whether the library refuses, prevents or names them
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "campaign.h"

namespace {

using namespace faulty_runs;

constexpr const char* usage =
    "usage: tests/run faults [options]\n"
    "  --part dev|held_out|fresh|variants|unseen|novel|all  which faults and tasks; dev. all is dev and held_out.\n"
    "                            the others are to be looked at once, at the end, when the rules are done: a\n"
    "                            rule that was written after a look at them is not measured by them\n"
    "  --fault NAME, --task NAME only these\n"
    "  --seeds N                 seeds of each fault and task; 3\n"
    "  --first-seed N            tasks and programs of other seeds; 1\n"
    "  --healthy N, --pairs N    programs without a fault, 250 in each part, and with two, 60; none with --fault\n"
    "  --repair                  mechanical faults only: repair against a random search over options of the same cost\n"
    "  --processes N             runs at a time; 2\n"
    "  --verbose                 every run with its diagnosis\n"
    "  --list                    the table of docs/faults.md, and nothing is run\n";

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) throw std::runtime_error("want a number; got " + text);
  return value;
}

void set_part(Settings& s, const std::string& part) {
  static const std::map<std::string, std::set<Part>> known{{"dev", {Part::dev}},
                                                           {"held_out", {Part::held_out}},
                                                           {"fresh", {Part::fresh}},
                                                           {"variants", {Part::variants}},
                                                           {"unseen", {Part::unseen}},
                                                           {"novel", {Part::novel}},
                                                           {"all", {Part::dev, Part::held_out}}};
  if (!known.contains(part))
    throw std::runtime_error("want --part dev, held_out, fresh, variants, unseen, novel or all; got " + part);
  s.parts = known.at(part);
}

bool known(const Settings& s) {
  bool fault = s.fault.empty(), task = s.task.empty();
  for (const Fault& f : faults()) fault = fault || f.name == s.fault;
  for (const TaskKind& t : tasks()) task = task || t.name == s.task;
  return fault && task;
}

}  // namespace

int main(int argc, char** argv) try {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--list") {
      print_list();
      return 0;
    }
    if (option == "--repair") {
      settings.repair = true;
      continue;
    }
    if (option == "--verbose") {
      settings.verbose = true;
      continue;
    }
    if (i + 1 == argc || option == "--help") {
      std::fprintf(stderr, "%s", usage);
      return 2;
    }
    const std::string value = argv[++i];
    if (option == "--part")
      set_part(settings, value);
    else if (option == "--fault")
      settings.fault = value;
    else if (option == "--task")
      settings.task = value;
    else if (option == "--seeds")
      settings.seeds = number(value);
    else if (option == "--first-seed")
      settings.first_seed = number(value);
    else if (option == "--healthy")
      settings.healthy = number(value);
    else if (option == "--pairs")
      settings.pairs = number(value);
    else if (option == "--processes")
      settings.processes = static_cast<int>(number(value));
    else
      throw std::runtime_error("unknown option " + option + "\n" + usage);
  }
  if (!known(settings)) throw std::runtime_error("there is no such fault or task; --list names them");
  for (const Part part : settings.parts) std::printf("part: %s\n", to_string(part));
  if (settings.parts != std::set{Part::dev})
    std::printf("This part is looked at once, at the end: rules written after this look are not measured by it.\n");
  handrail::set_num_threads(1);
  if (settings.repair) {
    run_repair_campaign(settings);
    return 0;
  }
  const Results results = run_campaign(settings);
  if (results.faults.empty())
    throw std::runtime_error("no fault of this part fits: --list says to which part faults and tasks belong");
  print(results, settings);
} catch (const std::exception& error) {
  std::fprintf(stderr, "faulty_runs: %s\n", error.what());
  return 1;
}
