// The part of Optimizer that saves and loads its state.
#include <algorithm>
#include <cstddef>
#include <string>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/optim/optimizer.h>

namespace handrail::optim {

OptimizerState Optimizer::state() const {
  OptimizerState copy;
  state(copy);
  return copy;
}

void Optimizer::state(OptimizerState& state) const {
  for (const Entry& entry : entries_) {
    ParamState& saved = state[entry.param->name];
    saved.t = entry.t;
    if (saved.slots.empty())
      for (const Tensor& slot : entry.slots) saved.slots.push_back(slot.clone());
    else
      for (std::size_t s = 0; s < entry.slots.size(); ++s)
        std::ranges::copy(entry.slots[s].span(), saved.slots[s].mutable_data());
  }
}

bool Optimizer::has_finite_slots() const {
  for (const Entry& entry : entries_)
    for (const Tensor& slot : entry.slots)
      if (first_non_finite(slot.span()) >= 0) return false;
  return true;
}

// Makes no call to the heap when the state fits: a run restores its moments when there is no memory, too.
void Optimizer::load_state(const OptimizerState& state) {
  std::string wrong;
  std::size_t known = 0;
  for (const Entry& entry : entries_) {
    const std::string& name = entry.param->name;
    const auto it = state.find(name);
    if (it == state.end()) {
      wrong += concat("\n  missing: '", name, "'");
      continue;
    }
    ++known;
    if (it->second.t < 0) wrong += concat("\n  '", name, "': want t >= 0; got ", it->second.t);
    if (it->second.slots.size() != entry.slots.size())
      wrong += concat("\n  '", name, "': want ", entry.slots.size(), " slots; got ", it->second.slots.size());
    else
      for (const Tensor& slot : it->second.slots)
        if (slot.shape() != entry.tensor.shape())
          wrong += concat("\n  '", name, "': want slots ", entry.tensor.shape(), "; got ", slot.shape());
  }
  if (known < state.size())
    for (const auto& saved : state)
      if (std::ranges::none_of(entries_, [&](const Entry& entry) { return entry.param->name == saved.first; }))
        wrong += concat("\n  unknown: '", saved.first, "'");
  if (!wrong.empty()) fail<CheckpointError>("Optimizer: the state does not fit:", wrong);
  for (Entry& entry : entries_) {
    const ParamState& saved = state.find(entry.param->name)->second;
    entry.t = saved.t;
    entry.loaded = true;
    for (std::size_t s = 0; s < entry.slots.size(); ++s)
      std::ranges::copy(saved.slots[s].span(), entry.slots[s].mutable_data());
  }
}

}  // namespace handrail::optim
