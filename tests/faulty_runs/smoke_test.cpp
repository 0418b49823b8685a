#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "campaign.h"

using namespace faulty_runs;

namespace {

const TaskKind& task_named(const std::string& name) {
  for (const TaskKind& task : tasks())
    if (task.name == name) return task;
  FAIL("no such task");
  return tasks().front();
}

const TaskKind& first_task(const Fault& fault) {
  for (const TaskKind& task : tasks())
    if (fits(fault, task.kind) && task.part == fault.part) return task;
  FAIL("no task fits");
  return tasks().front();
}

// The verdict on a fault in the usual program of a task.
Verdict verdict_of(const Fault& fault, const std::string& task) {
  const auto program = [&] { return healthy_program(task_named(task).draw(1), 1, fault.own_loop); };
  const Outcome usual = run_here(program);
  const Outcome run = run_here([&] {
    Program faulty = program();
    fault.plant(faulty);
    return faulty;
  });
  return judge(fault, run, usual);
}

Outcome outcome_with(const std::vector<Finding>& diagnosis, float credit) {
  return {.end = End::trained,
          .diagnosis = diagnosis,
          .credits = std::vector<float>(100, credit),
          .score = static_cast<double>(credit)};
}

}  // namespace

TEST_CASE("there are a hundred fault types, no two of one name, and each part has its share") {
  std::set<std::string> names;
  std::map<Part, int> counts;
  for (const Fault& fault : faults()) {
    CHECK_MESSAGE(names.insert(fault.name).second, fault.name);
    CHECK_FALSE(fault.causes.empty());
    ++counts[part_of_fault(fault)];
  }
  CHECK(counts[Part::dev] >= 50);
  CHECK(counts[Part::held_out] >= 50);
  CHECK(counts[Part::fresh] >= 40);
  CHECK(counts[Part::variants] >= 70);
  CHECK(counts[Part::unseen] >= 50);
  CHECK(counts[Part::novel] >= 50);
}

TEST_CASE("each part has tasks of all three kinds") {
  std::map<Part, std::set<train::Task>> kinds;
  for (const TaskKind& task : tasks()) kinds[part_of_task(task)].insert(task.kind);
  for (const Part part : {Part::dev, Part::held_out, Part::fresh, Part::variants, Part::unseen, Part::novel})
    CHECK_MESSAGE(kinds[part].size() == 3, to_string(part));
}

TEST_CASE("a refused, a harmless, a named and a silent program come out as such") {
  const auto scale = [](double factor) {
    return [factor](Program& p) { p.everywhere([&](Table& t) { t.x = t.x * factor; }); };
  };
  const auto recode = [](Program& p) { p.known([](Table& t) { t.y = t.y * 2.0 - 1.0; }); };
  // The library does not see what a program makes of the outputs.
  const auto answer_zero = [](Program& p) {
    p.answers = [](const Tensor& outputs) { return std::vector<double>(static_cast<std::size_t>(outputs.shape()[0])); };
  };
  const Fault refused{.name = "r", .planted = "", .causes = {}, .plant = recode, .refusal = {"0 or 1"}};
  const Fault misunderstood{.name = "m", .planted = "", .causes = {}, .plant = recode, .refusal = {"the moon"}};
  const Fault harmless{.name = "h", .planted = "", .causes = {}, .plant = scale(1)};
  const auto scale_alone = [scale](Program& p) {
    scale(1e4)(p);
    p.options.standardize = train::off;
  };
  const Fault scaled{.name = "a", .planted = "", .causes = {"input_scale"}, .plant = scale(1e4)};
  const Fault named{.name = "n", .planted = "", .causes = {"input_scale"}, .plant = scale_alone};
  const Fault silent{.name = "s", .planted = "", .causes = {}, .plant = answer_zero};
  CHECK(verdict_of(refused, "rings") == Verdict::refused);
  CHECK(verdict_of(misunderstood, "rings") == Verdict::wrong);
  CHECK(verdict_of(harmless, "digits") == Verdict::prevented);
  CHECK(verdict_of(scaled, "rings") == Verdict::prevented);
  CHECK(verdict_of(named, "rings") == Verdict::first);
  CHECK(verdict_of(silent, "rings") == Verdict::silent);
}

TEST_CASE("a name counts by its place, another cause is wrong, and a symptom is told apart from it") {
  const Fault fault{.name = "f", .planted = "", .causes = {"right"}, .plant = [](Program&) {}};
  const Finding right{"right", true, true}, other{"other", true, true}, effect{"effect", false, true};
  const Outcome healthy = outcome_with({}, 0.9F);
  const auto verdict = [&](const std::vector<Finding>& found, float credit) {
    return judge(fault, outcome_with(found, credit), healthy);
  };
  CHECK(verdict({right, other}, 0.5F) == Verdict::first);
  CHECK(verdict({effect, other, right}, 0.5F) == Verdict::among_three);
  CHECK(verdict({other, effect, other, right}, 0.5F) == Verdict::wrong);
  CHECK(verdict({effect, other}, 0.5F) == Verdict::symptom);
  CHECK(verdict({}, 0.5F) == Verdict::silent);
  CHECK(verdict({{"note", true, false}}, 0.5F) == Verdict::silent);
  CHECK(verdict({effect}, 0.89F) == Verdict::prevented);
  CHECK(verdict({other}, 0.89F) == Verdict::wrong);
  CHECK(verdict({right}, 0.9F) == Verdict::first);
}

TEST_CASE("harm is a fall of more than two points, or for a leak a gap to what the run reports") {
  const Outcome healthy = outcome_with({}, 0.9F);
  CHECK_FALSE(is_harmful(Harm::score, outcome_with({}, 0.89F), healthy));
  CHECK(is_harmful(Harm::score, outcome_with({}, 0.87F), healthy));
  CHECK_FALSE(is_harmful(Harm::score, outcome_with({}, 0.95F), healthy));
  Outcome leaking = outcome_with({}, 0.9F);
  leaking.reported = 1;
  leaking.validation_rows = 100;
  CHECK(is_harmful(Harm::gap, leaking, healthy));
  CHECK_FALSE(is_harmful(Harm::score, leaking, healthy));
}

TEST_CASE("every fault can be planted, and its program ends or is refused where a refusal is expected") {
  for (const Fault& fault : faults()) {
    CAPTURE(fault.name);
    const Outcome run = run_here([&] {
      Program program = healthy_program(first_task(fault).draw(1), 1, fault.own_loop);
      fault.plant(program);
      program.options.epochs = 1;
      program.options.checks.overfit_batch = false;
      return program;
    });
    CHECK_MESSAGE((run.end == End::trained || !fault.refusal.empty()), run.error);
  }
}

TEST_CASE("a run in a process of its own gives what it gives here, a crash is told, and a hang is killed") {
  const Job healthy = [] { return healthy_program(task_named("tiny").draw(1), 1, true); };
  const Job crash = []() -> Program { std::_Exit(3); };
  const Job hang = []() -> Program {
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
  };
  const auto outcomes = run_apart({healthy, crash, hang}, 2, 2);
  CHECK(outcomes[0].end == End::trained);
  CHECK(outcomes[0].credits == run_here(healthy).credits);
  CHECK(outcomes[1].end == End::crashed);
  CHECK(outcomes[2].end == End::timed_out);
}

TEST_CASE("docs/faults.md has the table of fault types, and a sentence for each name that counts") {
  std::ifstream page(FAULTS_PAGE);
  std::stringstream text;
  text << page.rdbuf();
  CHECK_MESSAGE(text.str().find(fault_table()) != std::string::npos, "print it with tests/run faults --list");
  for (const Fault& fault : faults())
    for (const std::string& cause : fault.causes)
      CHECK_MESSAGE(text.str().find("\n| `" + cause + "` | ") != std::string::npos, cause);
}

TEST_CASE("every mechanical fault is a fault, and repair mends one in a few fits") {
  for (const std::string& name : mechanical_faults())
    CHECK_MESSAGE(std::ranges::count(faults(), name, &Fault::name) == 1, name);
  const Fault& fault = *std::ranges::find(faults(), "tiny_inputs", &Fault::name);
  const TaskKind& task = task_named("rings");
  Program program = faulty_program(task, 1, {&fault});
  program.options.standardize = train::off;  // which prevents this fault
  program.options.repair = 2;
  const Outcome mended = run_here([&] { return program; });
  const Outcome usual = run_here([&] { return healthy_program(task.draw(1), 1, false); });
  CHECK(mended.kept.starts_with("standardize inputs"));
  CHECK(mended.score > usual.score - 0.05);
}
