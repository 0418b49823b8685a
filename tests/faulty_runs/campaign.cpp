#include "campaign.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <tuple>

namespace faulty_runs {
namespace {

// The jobs of a campaign, and where each outcome goes.
class Queue {
 public:
  std::size_t add(Job job) {
    jobs_.push_back(std::move(job));
    return jobs_.size() - 1;
  }
  // The healthy program of a task, once for each seed and kind of loop.
  std::size_t baseline(const TaskKind& task, std::uint64_t seed, bool own_loop) {
    const auto [it, is_new] = baselines_.try_emplace({task.name, seed, own_loop}, jobs_.size());
    if (is_new) add([&task, seed, own_loop] { return healthy_program(task.draw(seed), seed, own_loop); });
    return it->second;
  }
  std::vector<Outcome> run(int processes) const { return run_apart(jobs_, processes); }

 private:
  std::vector<Job> jobs_;
  std::map<std::tuple<std::string, std::uint64_t, bool>, std::size_t> baselines_;
};

bool wanted(Part part, const Settings& s) { return s.parts.contains(part); }

// Faults of one subject change the same part of a program, and those of a model, its layers and gradients replace it.
// One that should be refused would hide the other.
bool compatible(const Fault& a, const Fault& b) {
  const auto place = [](const Fault& fault) {
    return fault.subject == "layers" || fault.subject == "gradient" ? std::string("model") : fault.subject;
  };
  return !a.alone && !b.alone && a.refusal.empty() && b.refusal.empty() && a.own_loop == b.own_loop &&
         place(a) != place(b);
}

struct PlannedPair {
  const Fault *first, *second;
  const TaskKind* task;
};

// Pairs by number, from tasks that both fit, in the order of faults().
std::vector<PlannedPair> draw_pairs(const Settings& s, std::uint64_t count) {
  std::vector<PlannedPair> pairs;
  const auto list = wanted_faults(s);
  const auto where = wanted_tasks(s);
  if (list.size() < 2 || where.empty()) return pairs;
  Rng rng(StreamKey{.seed = s.first_seed, .stream = Stream::user, .position = 200});
  for (std::uint64_t tries = 0; pairs.size() < count && tries < 100 * count; ++tries) {
    const Fault *a = list[rng.below(list.size())], *b = list[rng.below(list.size())];
    const TaskKind* task = where[rng.below(where.size())];
    if (b < a) std::swap(a, b);
    if (compatible(*a, *b) && fits(*a, task->kind) && fits(*b, task->kind)) pairs.push_back({a, b, task});
  }
  return pairs;
}

}  // namespace

std::vector<const Fault*> wanted_faults(const Settings& s) {
  std::vector<const Fault*> list;
  for (const Fault& fault : faults())
    if (wanted(part_of_fault(fault), s) && (s.fault.empty() || s.fault == fault.name)) list.push_back(&fault);
  return list;
}

std::vector<const TaskKind*> wanted_tasks(const Settings& s) {
  std::vector<const TaskKind*> list;
  for (const TaskKind& task : tasks())
    if (wanted(part_of_task(task), s) && (s.task.empty() || s.task == task.name)) list.push_back(&task);
  return list;
}

Program faulty_program(const TaskKind& task, std::uint64_t seed, const std::vector<const Fault*>& planted) {
  Program program = healthy_program(task.draw(seed), seed, planted.front()->own_loop);
  for (const Fault* fault : planted) fault->plant(program);
  return program;
}

Results run_campaign(const Settings& s) {
  const auto start = std::chrono::steady_clock::now();
  Queue queue;
  struct Planned {
    std::size_t job, baseline;
  };
  Results results;
  std::vector<Planned> of_faults, of_pairs, of_healthy;

  for (const Fault* fault : wanted_faults(s))
    for (const TaskKind* task : wanted_tasks(s))
      for (std::uint64_t seed = s.first_seed; fits(*fault, task->kind) && seed < s.first_seed + s.seeds; ++seed) {
        const std::size_t baseline = queue.baseline(*task, seed, fault->own_loop);
        of_faults.push_back({queue.add([=] { return faulty_program(*task, seed, {fault}); }), baseline});
        results.faults.push_back({.fault = fault, .task = task->name, .seed = seed});
      }

  const std::uint64_t seed = s.first_seed;
  for (const PlannedPair& pair : draw_pairs(s, s.pairs.value_or(s.fault.empty() ? 60 * s.parts.size() : 0))) {
    of_pairs.push_back({queue.add([pair, seed] {
                          return faulty_program(*pair.task, seed, {pair.first, pair.second});
                        }),
                        0});
    results.pairs.push_back({.first = pair.first, .second = pair.second, .task = pair.task->name});
  }

  for (const Part part : s.parts) {
    std::vector<const TaskKind*> where = wanted_tasks(s);
    std::erase_if(where, [&](const TaskKind* task) { return part_of_task(*task) != part; });
    const std::uint64_t count = s.healthy.value_or(s.fault.empty() ? 250 : 0);
    for (std::uint64_t i = 0; !where.empty() && i < count; ++i) {
      const TaskKind* task = where[i % where.size()];
      const std::uint64_t task_seed = s.first_seed + i % 5;
      const std::uint64_t number = 100'000 * static_cast<std::uint64_t>(part) + 1000 * s.first_seed + i;
      const std::size_t baseline = queue.baseline(*task, task_seed, false);
      of_healthy.push_back({queue.add([=] { return healthy_variant(*task, task_seed, number).program; }), baseline});
      results.healthy.push_back({.description = healthy_variant(*task, task_seed, number).description});
    }
  }

  std::vector<Outcome> outcomes = queue.run(s.processes);
  for (std::size_t i = 0; i < of_faults.size(); ++i) {
    FaultRun& run = results.faults[i];
    const Outcome& usual = outcomes[of_faults[i].baseline];
    run.outcome = outcomes[of_faults[i].job];
    run.verdict = judge(*run.fault, run.outcome, usual);
    run.harmful = run.outcome.end == End::trained && is_harmful(run.fault->harm, run.outcome, usual);
  }
  for (std::size_t i = 0; i < of_pairs.size(); ++i) results.pairs[i].outcome = outcomes[of_pairs[i].job];
  constexpr double far = 0.15;  // of accuracy or R2
  for (std::size_t i = 0; i < of_healthy.size(); ++i) {
    HealthyRun& run = results.healthy[i];
    run.outcome = outcomes[of_healthy[i].job];
    run.failed = run.outcome.score < outcomes[of_healthy[i].baseline].score - far;
  }
  results.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return results;
}

}  // namespace faulty_runs
