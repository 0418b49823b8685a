#include "faults/fault.h"

#include <cstdint>

#include "novel/novel.h"
#include "unseen/unseen.h"
#include "variants/variants.h"

namespace faulty_runs {

const std::vector<Fault>& faults() {
  static const std::vector<Fault> all = [] {
    const std::vector<FaultGroup> usual{
        {"data", data_faults()},           {"columns", column_faults()},    {"labels", label_faults()},
        {"split", split_faults()},         {"model", model_faults()},       {"layers", layer_faults()},
        {"gradient", gradient_faults()},   {"outputs", output_faults()},    {"loss", loss_faults()},
        {"optimizer", optimizer_faults()}, {"schedule", schedule_faults()}, {"loop", loop_faults()}};
    std::vector<Fault> list;
    const auto append = [&list](const std::vector<FaultGroup>& groups, std::optional<Part> part) {
      for (const auto& [subject, group] : groups)
        for (const Fault& fault : group) {
          list.push_back(fault);
          list.back().subject = subject;
          list.back().part = part;
        }
    };
    append(usual, {});
    for (const auto fresh :
         {fresh_data_faults, fresh_label_faults, fresh_model_faults, fresh_loss_faults, fresh_training_faults})
      append(fresh(), Part::fresh);
    append(variants(), Part::variants);
    append(unseen(), Part::unseen);
    append(novel(), Part::novel);
    return list;
  }();
  return all;
}

bool fits(const Fault& fault, train::Task kind) {
  const unsigned bit = kind == train::Task::multiclass ? multiclass : kind == train::Task::binary ? binary : regression;
  return (fault.needs & bit) != 0;
}

const char* to_string(Part part) {
  constexpr const char* names[] = {"dev", "held out", "fresh", "variants", "unseen", "novel"};
  return names[static_cast<std::size_t>(part)];
}

Part part_of_fault(const Fault& fault) {
  if (fault.part) return *fault.part;
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : fault.name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  for (const int shift : {32, 16, 8, 4, 2, 1}) hash ^= hash >> shift;
  return (hash & 1) == 0 ? Part::dev : Part::held_out;
}

Part part_of_task(const TaskKind& task) {
  if (task.part) return *task.part;
  Part part = Part::dev;
  bool odd[3] = {};
  for (const TaskKind& other : tasks()) {
    bool& second = odd[static_cast<std::size_t>(other.kind)];
    part = second ? Part::held_out : Part::dev;
    second = !second;
    if (other.name == task.name) break;
  }
  return part;
}

}  // namespace faulty_runs
