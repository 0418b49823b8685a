#include <handrail/optim/optimizer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <handrail/core/error.h>
#include <handrail/core/system/denormals.h>
#include <handrail/core/system/finite.h>
#include <handrail/core/system/internal/kernels.h>
#include <handrail/core/system/parallel.h>
#include <handrail/core/tape.h>
#include <handrail/optim/internal/magnitude.h>

namespace handrail::optim {
namespace {

// Enough elements for a chunk to be worth a thread. It is a constant, so that sums over chunks have fixed bits.
constexpr Index chunk_elements = 16384;
// Of the update by Adam. The other passes take less, but run on as many threads: those have the elements in their
// cache.
constexpr double ns_per_element = 0.2;

constexpr double unknown = std::numeric_limits<double>::infinity();

}  // namespace

Optimizer::Optimizer(std::vector<ParamGroup> groups, std::size_t slot_count)
    : groups_(std::move(groups)), largest_gradient_(unknown), largest_(unknown) {
  TextStream wrong;
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
        if (other.tensor.is_same(p.tensor)) wrong << "\n  '" << p.name << "' shares its tensor with another parameter";
      Entry entry{.param = &p, .group = g, .layer = 0, .tensor = p.tensor, .slots = {}};
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
  divide_into_ranges();
  arrange_layers();
}

void Optimizer::divide_into_ranges() {
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

// Looks up the gradients. When one was written since the last time, their largest magnitude is no longer known.
void Optimizer::collect_gradients() {
  bool same = true;
  for (Entry& entry : entries_) {
    const LeafGrad grad = Tape::leaf_grad(entry.tensor);
    same &= grad.data == entry.gradient && grad.version == entry.gradient_version;
    entry.gradient = grad.data;
    entry.gradient_version = grad.version;
  }
  if (!same) largest_gradient_ = unknown;
}

// Calls body(range, number of the range) for all ranges with a gradient; the ranges of a chunk run on one thread.
template <class Body>
void Optimizer::for_ranges(Body&& body) {
  const int threads = threads_for(static_cast<double>(std::ssize(chunk_ends_) * chunk_elements) * ns_per_element);
  parallel_for(std::ssize(chunk_ends_), threads, [&](Index chunk) {
    const auto c = static_cast<std::size_t>(chunk);
    for (std::size_t r = c == 0 ? 0 : chunk_ends_[c - 1]; r < chunk_ends_[c]; ++r)
      if (entries_[ranges_[r].entry].gradient) body(ranges_[r], r);
  });
}

double Optimizer::grad_norm() {
  collect_gradients();
  std::ranges::fill(partial_, 0.0);
  for_ranges([&](const Range& range, std::size_t number) {
    partial_[number] =
        kernels_here().sum_of_squares(entries_[range.entry].gradient + range.begin, range.end - range.begin);
  });
  double total = 0;
  std::ranges::fill(layer_norms_, 0.0);
  for (std::size_t r = 0; r < ranges_.size(); ++r) {
    total += partial_[r];
    layer_norms_[entries_[ranges_[r].entry].layer] += partial_[r];
  }
  for (double& norm : layer_norms_) norm = std::sqrt(norm);
  return largest_gradient_ = std::sqrt(total);
}

void Optimizer::step(double lr, double grad_scale, bool check_finite) {
  if (!(lr >= 0 && std::isfinite(lr)) || !(grad_scale >= 0 && std::isfinite(grad_scale)))
    fail<OptionError>(name(), "::step: want lr >= 0 and grad_scale >= 0, finite; got ", lr, " and ", grad_scale);
  const FlushDenormals flush;
  collect_gradients();
  if (std::ranges::none_of(entries_, [](const Entry& entry) { return entry.gradient != nullptr; }))
    fail<TapeError>(name(), "::step: want at least one parameter with a gradient; got none; call backward before step");
  const bool keep = check_finite && !is_moderate(lr, grad_scale);
  if (keep) keep_copies();
  double largest = 0;
  try {
    largest = update_all(lr, grad_scale, check_finite);
  } catch (...) {
    if (keep) take_back();
    throw;
  }
  if (!is_finite(largest)) fail_non_finite(keep);
  if (keep) forget_copies();
  for (Entry& entry : entries_) {
    if (!entry.gradient) {
      if (entry.measured) largest = std::max(largest, largest_);
      continue;
    }
    ++entry.t;
    entry.measured = check_finite;
    entry.weights_version = entry.tensor.version();
    if (check_finite) entry.loaded = false;
  }
  largest_ = largest;
}

// Whether the rule promises finite values for this step; see bounded().
bool Optimizer::is_moderate(double lr, double grad_scale) {
  if (!bounded()) return false;
  for (const ParamGroup& group : groups_)
    if (!(lr * group.lr_scale <= moderate_factor && group.weight_decay <= moderate_factor)) return false;
  if (largest_gradient_ == unknown) largest_gradient_ = largest_of_gradients();
  if (!(grad_scale <= moderate_factor && grad_scale * largest_gradient_ <= moderate_magnitude)) return false;
  bool known = largest_ <= moderate_magnitude;
  for (const Entry& entry : entries_) {
    if (!entry.gradient) continue;
    if (entry.loaded) return false;
    known &= entry.measured && entry.weights_version == entry.tensor.version();
  }
  if (!known) measure_weights();
  return largest_ <= moderate_magnitude;
}

// The largest magnitude that body(entry, begin, end) returns for the ranges with a gradient.
template <class Body>
double Optimizer::largest_over_ranges(Body&& body) {
  std::ranges::fill(partial_, 0.0);
  for_ranges([&](const Range& range, std::size_t number) {
    partial_[number] = body(entries_[range.entry], range.begin, range.end);
  });
  double largest = 0;
  for (const double partial : partial_) largest = detail::larger(largest, partial);
  return largest;
}

double Optimizer::largest_of_gradients() {
  return largest_over_ranges([](const Entry& entry, Index begin, Index end) {
    return detail::largest_magnitude({entry.gradient + begin, entry.gradient + end});
  });
}

void Optimizer::measure_weights() {
  largest_ = largest_over_ranges([](const Entry& entry, Index begin, Index end) {
    const auto of = [&](const Scalar* data) { return detail::largest_magnitude({data + begin, data + end}); };
    double largest = of(entry.tensor.data());
    for (const Tensor& slot : entry.slots) largest = detail::larger(largest, of(slot.data()));
    return largest;
  });
  for (Entry& entry : entries_) {
    entry.measured = entry.gradient != nullptr;
    entry.weights_version = entry.tensor.version();
  }
}

double Optimizer::update_and_measure(const Piece& piece, const Step& step) const {
  update(piece, step);
  double largest = detail::largest_magnitude(piece.weights);
  for (const std::span<Scalar> slot : piece.slots) largest = detail::larger(largest, detail::largest_magnitude(slot));
  return largest;
}

// Makes the update. Returns the largest magnitude of the weights and slots after it, or 0 without check_finite.
double Optimizer::update_all(double lr, double grad_scale, bool check_finite) {
  ++updates_;
  last_lr_ = lr;
  const Step* last = nullptr;
  for (Entry& entry : entries_) {
    if (!entry.gradient) continue;
    entry.weights = entry.tensor.mutable_data();
    const ParamGroup& group = groups_[entry.group];
    const std::int64_t t = entry.t + 1;
    entry.step = {.rate = lr * group.lr_scale,
                  .weight_decay = group.weight_decay,
                  .grad_scale = grad_scale,
                  .t = t,
                  .corrections = last && last->t == t ? last->corrections : corrections(t)};
    last = &entry.step;
  }
  return largest_over_ranges([&](const Entry& entry, Index begin, Index end) {
    Piece piece{.weights = {entry.weights + begin, entry.weights + end},
                .gradient = {entry.gradient + begin, entry.gradient + end},
                .slots = {}};
    for (std::size_t s = 0; s < entry.slots.size(); ++s)
      piece.slots[s] = {entry.slot_data[s] + begin, entry.slot_data[s] + end};
    if (check_finite) return update_and_measure(piece, entry.step);
    update(piece, entry.step);
    return 0.0;
  });
}

// Copies the weights and slots that the step will change, for take_back().
void Optimizer::keep_copies() {
  for (Entry& entry : entries_)
    if (entry.gradient) entry.kept.resize(entry.tensor.span().size() * (1 + entry.slots.size()));
  for_ranges([&](const Range& range, std::size_t) {
    Entry& entry = entries_[range.entry];
    Scalar* to = entry.kept.data();
    const auto copy = [&](const Scalar* from) {
      std::copy(from + range.begin, from + range.end, to + range.begin);
      to += entry.tensor.size();
    };
    copy(entry.tensor.data());
    for (const Tensor& slot : entry.slots) copy(slot.data());
  });
}

void Optimizer::take_back() noexcept {
  for (const Entry& entry : entries_) {
    if (!entry.gradient) continue;
    const Scalar* from = entry.kept.data();
    const auto copy = [&](Scalar* to) {
      std::copy_n(from, entry.tensor.size(), to);
      from += entry.tensor.size();
    };
    copy(entry.weights);
    for (std::size_t s = 0; s < entry.slots.size(); ++s) copy(entry.slot_data[s]);
  }
  forget_copies();
}

// Frees the copies. A rule without bounds needs them in every step, so its memory is kept.
void Optimizer::forget_copies() noexcept {
  if (bounded())
    for (Entry& entry : entries_) entry.kept = std::vector<Scalar>();
}

// Throws NonFiniteError about the first element that is not finite. Takes the step back when it was `kept`.
void Optimizer::fail_non_finite(bool kept) {
  for (const Entry& entry : entries_) {
    if (!entry.gradient) continue;
    for (std::size_t s = 0; s <= entry.slots.size(); ++s) {
      const Tensor& tensor = s == 0 ? entry.tensor : entry.slots[s - 1];
      const Index at = first_non_finite(tensor.span());
      if (at < 0) continue;
      const Scalar value = tensor.data()[at], gradient = entry.gradient[at];
      if (kept) take_back();
      const std::string& where = entry.param->name;
      const auto shown = [](Scalar x) { return std::isnan(x) ? "nan" : concat(x); };  // without a sign
      const std::int64_t renewals = Tape::grad_counts(entry.tensor).renewals;
      const bool accumulates = updates_ > renewals + 1;
      throw NonFiniteError(
          concat(name(), "::step: want a finite update; got ", shown(value), s == 0 ? "" : " in a moment",
                 " for element ", at, " of '", where, "' ", tensor.shape(), ", whose gradient is ", shown(gradient),
                 ", at rate ", entry.step.rate,
                 accumulates
                     ? concat("; of ", updates_, " updates only ", renewals,
                              " had a gradient of their own: gradients accumulate, call zero_grad() in each step")
                     : std::string(),
                 kept ? "; nothing was changed: skip this step"
                      : "; the step could not be undone, as a weight was written through a pointer from before the "
                        "last one"),
          where);
    }
  }
}

double power(double base, std::int64_t n) {
  double result = 1;
  for (; n > 0; n >>= 1, base *= base)
    if (n & 1) result *= base;
  return result;
}

}  // namespace handrail::optim
