#include <handrail/optim/optimizer.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include <handrail/core/denormals.h>
#include <handrail/core/error.h>
#include <handrail/core/parallel.h>

namespace handrail::optim {
namespace {

// Elements to a chunk: a thread's worth, and fixed, so that sums over chunks have fixed bits.
constexpr Index chunk_elements = 16384;

}  // namespace

Optimizer::Optimizer(std::vector<ParamGroup> groups, std::size_t slot_count) : groups_(std::move(groups)) {
  std::ostringstream wrong;
  std::set<std::string> names;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const ParamGroup& group = groups_[g];
    if (!(group.lr_scale >= 0 && std::isfinite(group.lr_scale)))
      wrong << "\n  group '" << group.name << "': want lr_scale >= 0; got " << group.lr_scale;
    if (!(group.weight_decay >= 0 && std::isfinite(group.weight_decay)))
      wrong << "\n  group '" << group.name << "': want weight_decay >= 0; got " << group.weight_decay;
    for (const Parameter& p : group.params) {
      if (!names.insert(p.name).second) wrong << "\n  two parameters are called '" << p.name << "'";
      for (const Entry& other : entries_)
        if (other.tensor.is_same(p.tensor)) wrong << "\n  '" << p.name << "' is the tensor of another parameter too";
      Entry entry{.group = g, .tensor = p.tensor, .slots = {}};
      for (std::size_t s = 0; s < slot_count; ++s) {
        entry.slots.push_back(Tensor::zeros(p.tensor.shape()));
        entry.slot_data[s] = entry.slots[s].mutable_data();
      }
      entries_.push_back(std::move(entry));
    }
  }
  if (entries_.empty())
    wrong << "\n  want at least one parameter; got none; modules register theirs with param() and add()";
  if (!wrong.str().empty()) fail<OptionError>("Optimizer:", wrong.str());

  Index in_chunk = 0;
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    const Index size = entries_[e].tensor.size();
    for (Index begin = 0; begin < size;) {
      const Index end = std::min(size, begin + chunk_elements - in_chunk);
      ranges_.push_back({e, begin, end});
      in_chunk += end - begin;
      // Ranges start at multiples of a vector.
      if (in_chunk + 64 > chunk_elements) {
        chunk_ends_.push_back(ranges_.size());
        in_chunk = 0;
      }
      begin = end;
    }
    in_chunk = (in_chunk + 63) / 64 * 64;
  }
  if (chunk_ends_.empty() || chunk_ends_.back() != ranges_.size()) chunk_ends_.push_back(ranges_.size());
  partial_.resize(ranges_.size());
}

void Optimizer::zero_grad() {
  for (const Entry& entry : entries_) entry.tensor.zero_grad();
}

void Optimizer::collect_gradients() {
  for (Entry& entry : entries_) {
    const Tensor grad = entry.tensor.grad();
    entry.gradient = grad.defined() ? grad.data() : nullptr;
  }
}

// Calls body(range, number of the range) for all ranges with a gradient, a chunk a thread at a time.
template <class Body>
void Optimizer::for_ranges(Body&& body) {
  parallel_for(std::ssize(chunk_ends_), [&](Index chunk) {
    const auto c = static_cast<std::size_t>(chunk);
    for (std::size_t r = c == 0 ? 0 : chunk_ends_[c - 1]; r < chunk_ends_[c]; ++r)
      if (entries_[ranges_[r].entry].gradient) body(ranges_[r], r);
  });
}

double Optimizer::grad_norm() {
  collect_gradients();
  std::ranges::fill(partial_, 0.0);
  for_ranges([&](const Range& range, std::size_t number) {
    const Scalar* g = entries_[range.entry].gradient;
    // Several sums side by side, in an order that does not depend on vector sizes.
    constexpr Index lanes = 16;
    double sums[lanes] = {};
    Index i = range.begin;
    for (; i + lanes <= range.end; i += lanes)
      for (Index j = 0; j < lanes; ++j) sums[j] += static_cast<double>(g[i + j]) * static_cast<double>(g[i + j]);
    for (; i < range.end; ++i) sums[0] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    for (const double sum : sums) partial_[number] += sum;
  });
  double total = 0;
  for (const double partial : partial_) total += partial;
  return std::sqrt(total);
}

void Optimizer::step(double lr, double grad_scale) {
  if (!(lr >= 0 && std::isfinite(lr)) || !(grad_scale >= 0 && std::isfinite(grad_scale)))
    fail<OptionError>(name(), "::step: want lr >= 0 and grad_scale >= 0, finite; got ", lr, " and ", grad_scale);
  const FlushDenormals flush;
  collect_gradients();
  if (std::ranges::none_of(entries_, [](const Entry& entry) { return entry.gradient != nullptr; }))
    fail<TapeError>(name(), "::step: want at least one parameter with a gradient; got none; call backward before step");
  for (Entry& entry : entries_) {
    if (!entry.gradient) continue;
    ++entry.t;
    entry.weights = entry.tensor.mutable_data();
  }
  for_ranges([&](const Range& range, std::size_t) {
    const Entry& entry = entries_[range.entry];
    const auto part = [&](auto* data) {
      return std::span(data + range.begin, static_cast<std::size_t>(range.end - range.begin));
    };
    Piece piece{.weights = part(entry.weights), .gradient = part(entry.gradient), .slots = {}};
    for (std::size_t s = 0; s < entry.slots.size(); ++s) piece.slots[s] = part(entry.slot_data[s]);
    const ParamGroup& group = groups_[entry.group];
    update(piece,
           {.rate = lr * group.lr_scale, .weight_decay = group.weight_decay, .grad_scale = grad_scale, .t = entry.t});
  });
}

OptimizerState Optimizer::state() const {
  OptimizerState state;
  std::size_t e = 0;
  for (const ParamGroup& group : groups_)
    for (const Parameter& p : group.params) {
      ParamState& saved = state[p.name];
      saved.t = entries_[e].t;
      for (const Tensor& slot : entries_[e].slots) saved.slots.push_back(slot.clone());
      ++e;
    }
  return state;
}

void Optimizer::load_state(const OptimizerState& state) {
  std::ostringstream wrong;
  std::vector<const ParamState*> found;
  std::set<std::string> names;
  std::size_t e = 0;
  for (const ParamGroup& group : groups_)
    for (const Parameter& p : group.params) {
      const Entry& entry = entries_[e++];
      const auto it = state.find(p.name);
      names.insert(p.name);
      found.push_back(it == state.end() ? nullptr : &it->second);
      if (it == state.end()) {
        wrong << "\n  missing: '" << p.name << "'";
        continue;
      }
      if (it->second.t < 0) wrong << "\n  '" << p.name << "': want t >= 0; got " << it->second.t;
      if (it->second.slots.size() != entry.slots.size())
        wrong << "\n  '" << p.name << "': want " << entry.slots.size() << " slots; got " << it->second.slots.size();
      else
        for (const Tensor& slot : it->second.slots)
          if (slot.shape() != entry.tensor.shape())
            wrong << "\n  '" << p.name << "': want slots " << entry.tensor.shape() << "; got " << slot.shape();
    }
  for (const auto& [name, unused] : state)
    if (!names.contains(name)) wrong << "\n  unknown: '" << name << "'";
  if (!wrong.str().empty()) fail<CheckpointError>("Optimizer: the state does not fit:", wrong.str());
  for (e = 0; e < entries_.size(); ++e) {
    entries_[e].t = found[e]->t;
    for (std::size_t s = 0; s < entries_[e].slots.size(); ++s)
      std::ranges::copy(found[e]->slots[s].span(), entries_[e].slots[s].mutable_data());
  }
}

double power(double base, std::int64_t n) {
  double result = 1;
  for (; n > 0; n >>= 1, base *= base)
    if (n & 1) result *= base;
  return result;
}

}  // namespace handrail::optim
