// The part of Optimizer that saves and loads its state.
#include <algorithm>
#include <set>

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

void Optimizer::load_state(const OptimizerState& state) {
  TextStream wrong;
  std::vector<const ParamState*> found;
  std::set<std::string> names;
  for (const Entry& entry : entries_) {
    const std::string& name = entry.param->name;
    const auto it = state.find(name);
    names.insert(name);
    found.push_back(it == state.end() ? nullptr : &it->second);
    if (it == state.end()) {
      wrong << "\n  missing: '" << name << "'";
      continue;
    }
    if (it->second.t < 0) wrong << "\n  '" << name << "': want t >= 0; got " << it->second.t;
    if (it->second.slots.size() != entry.slots.size())
      wrong << "\n  '" << name << "': want " << entry.slots.size() << " slots; got " << it->second.slots.size();
    else
      for (const Tensor& slot : it->second.slots)
        if (slot.shape() != entry.tensor.shape())
          wrong << "\n  '" << name << "': want slots " << entry.tensor.shape() << "; got " << slot.shape();
  }
  for (const auto& [name, unused] : state)
    if (!names.contains(name)) wrong << "\n  unknown: '" << name << "'";
  if (!wrong.str().empty()) fail<CheckpointError>("Optimizer: the state does not fit:", wrong.str());
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    entries_[e].t = found[e]->t;
    entries_[e].loaded = true;
    for (std::size_t s = 0; s < entries_[e].slots.size(); ++s)
      std::ranges::copy(found[e]->slots[s].span(), entries_[e].slots[s].mutable_data());
  }
}

}  // namespace handrail::optim
