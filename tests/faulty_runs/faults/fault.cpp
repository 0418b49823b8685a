#include "faults/fault.h"

#include <cstdint>

#include "tasks.h"

namespace faulty_runs {

const std::vector<Fault>& faults() {
  static const std::vector<Fault> all = [] {
    const std::pair<const char*, std::vector<Fault>> groups[] = {
        {"data", data_faults()},           {"columns", column_faults()},    {"labels", label_faults()},
        {"split", split_faults()},         {"model", model_faults()},       {"layers", layer_faults()},
        {"gradient", gradient_faults()},   {"outputs", output_faults()},    {"loss", loss_faults()},
        {"optimizer", optimizer_faults()}, {"schedule", schedule_faults()}, {"loop", loop_faults()}};
    std::vector<Fault> list;
    for (const auto& [subject, group] : groups)
      for (const Fault& fault : group) {
        list.push_back(fault);
        list.back().subject = subject;
      }
    return list;
  }();
  return all;
}

bool fits(const Fault& fault, train::Task kind) {
  const unsigned bit = kind == train::Task::multiclass ? multiclass : kind == train::Task::binary ? binary : regression;
  return (fault.needs & bit) != 0;
}

Part part_of_fault(const std::string& name) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  for (const int shift : {32, 16, 8, 4, 2, 1}) hash ^= hash >> shift;
  return (hash & 1) == 0 ? Part::dev : Part::held_out;
}

Part part_of_task(const std::string& name) {
  Part part = Part::dev;
  bool odd[3] = {};
  for (const TaskKind& task : tasks()) {
    bool& second = odd[static_cast<std::size_t>(task.kind)];
    part = second ? Part::held_out : Part::dev;
    second = !second;
    if (task.name == name) break;
  }
  return part;
}

}  // namespace faulty_runs
