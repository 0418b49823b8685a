#include <handrail/train/guards/internal/update_watch.h>

#include <algorithm>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::int64_t max_stale_updates = 5;  // updates without a gradient of their own
constexpr std::int64_t max_overwrites = 3;     // looks
constexpr std::int64_t updates_to_move = 30;   // after which weights must have moved

}  // namespace

UpdateWatch::UpdateWatch(std::vector<Parameter> parameters, const optim::Optimizer& optimizer)
    : parameters_(std::move(parameters)),
      optimizer_(&optimizer),
      lifetime_(optimizer.lifetime()),
      updates_at_start_(optimizer.updates()),
      updates_before_(optimizer.updates()) {
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    start_.push_back(count(p));
    weights_.push_back(parameters_[p].tensor.clone());
  }
  before_ = start_;
}

UpdateWatch::Counts UpdateWatch::count(std::size_t p) const {
  const Tensor& tensor = parameters_[p].tensor;
  const GradCounts grad = Tape::grad_counts(tensor);
  return {.weights = tensor.version(), .writes = grad.writes, .renewals = grad.renewals};
}

std::optional<Anomaly> UpdateWatch::look(std::int64_t step) {
  updated_ = true;
  if (!optimizer_) return std::nullopt;
  if (lifetime_.expired()) return reset(step);
  lr_ = optimizer_->last_lr();
  const std::int64_t updates = optimizer_->updates() - updates_before_;
  updates_before_ += updates;
  updated_ = updates > 0;
  std::optional<Anomaly> found = stale(step);
  if (!found) found = overwritten(step, updates);
  if (!found) found = unmoved(step);
  for (std::size_t p = 0; p < parameters_.size(); ++p) before_[p] = count(p);
  return found;
}

std::optional<Anomaly> UpdateWatch::reset(std::int64_t step) {
  optimizer_ = nullptr;
  return Anomaly{.name = "optimizer_reset",
                 .step = step,
                 .where = "optimizer",
                 .evidence = "it was destroyed during training",
                 .cause =
                     "the loop makes a new optimizer, which begins without moments and counts its updates from 1: "
                     "momentum and Adam never get going",
                 .remedy = "make the optimizer once, before the loop"};
}

std::optional<Anomaly> UpdateWatch::stale(std::int64_t step) {
  const std::int64_t updates = updates_before_ - updates_at_start_;
  if (stale_reported_ || updates < max_stale_updates) return std::nullopt;
  std::int64_t renewals = 0, writes = 0;
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    const Counts now = count(p);
    renewals = std::max<std::int64_t>(renewals, now.renewals - start_[p].renewals);
    writes = std::max<std::int64_t>(writes, now.writes - start_[p].writes);
  }
  if (updates - renewals < max_stale_updates) return partly_stale(step, updates);
  stale_reported_ = true;
  const bool accumulates = writes > renewals + max_stale_updates / 2;
  Anomaly anomaly{.name = accumulates ? "gradients_accumulate" : "step_before_backward",
                  .step = step,
                  .where = "loop",
                  .evidence = concat(updates, " updates, of which only ", renewals, " had a gradient of their own"),
                  .cause = {},
                  .remedy = {}};
  anomaly.cause = accumulates ? "the gradients of earlier steps were not cleared: each update adds up all of them"
                              : "the optimizer steps before backward, or more often than backward runs";
  anomaly.remedy = accumulates ? "call optimizer.zero_grad() in each step" : "call backward before each optimizer.step";
  return anomaly;
}

// A parameter whose gradient was added to in each update, and was not cleared since the first.
std::optional<Anomaly> UpdateWatch::partly_stale(std::int64_t step, std::int64_t updates) {
  const Parameter* first = nullptr;
  Index never_cleared = 0;
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    const Counts now = count(p);
    if (now.renewals - start_[p].renewals > 1 || now.writes - start_[p].writes < updates) continue;
    if (!first) first = &parameters_[p];
    ++never_cleared;
  }
  if (!first || never_cleared == std::ssize(parameters_)) return std::nullopt;
  stale_reported_ = true;
  return Anomaly{.name = "gradients_accumulate",
                 .step = step,
                 .where = first->name,
                 .evidence = concat(counted(never_cleared, "gradient"), " of ", parameters_.size(),
                                    " never cleared in ", updates, " updates"),
                 .cause = "zero_grad() of a part of the parameters: for the others each update adds up all gradients",
                 .remedy = "call zero_grad() of the optimizer"};
}

std::optional<Anomaly> UpdateWatch::overwritten(std::int64_t step, std::int64_t updates) {
  if (overwritten_reported_) return std::nullopt;
  const Parameter* first = nullptr;
  for (std::size_t p = 0; p < parameters_.size() && !first; ++p)
    if (parameters_[p].tensor.version() - before_[p].weights > updates) first = &parameters_[p];
  if (!first || ++overwritten_ < max_overwrites) return std::nullopt;
  overwritten_reported_ = true;
  return Anomaly{.name = "weights_overwritten",
                 .step = step,
                 .where = first->name,
                 .evidence = concat("written to in ", overwritten_, " steps besides the updates"),
                 .cause =
                     "something else than the optimizer sets the weights: a copy that is loaded, an initialiser, a "
                     "shared buffer",
                 .remedy = "leave weights to the optimizer"};
}

// After some updates: parameters that have the values that they began with.
std::optional<Anomaly> UpdateWatch::unmoved(std::int64_t step) {
  if (unmoved_looked_ || updates_before_ - updates_at_start_ < updates_to_move) return std::nullopt;
  unmoved_looked_ = true;
  Index still = 0, weights = 0, count = 0;
  const Parameter* first = nullptr;
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    const Tensor& tensor = parameters_[p].tensor;
    weights += tensor.size();
    if (!tensor.requires_grad() || !std::ranges::equal(tensor.span(), weights_[p].span())) continue;
    if (!first) first = &parameters_[p];
    still += tensor.size();
    ++count;
  }
  if (!first) return std::nullopt;
  return Anomaly{.name = "not_trained",
                 .step = step,
                 .where = first->name,
                 .evidence = concat(counted(count, "parameter"), ", ",
                                    short_form(100 * static_cast<double>(still) / static_cast<double>(weights), 3),
                                    " % of the weights, did not move in ", updates_to_move, " updates"),
                 .cause = "the loss does not depend on them, no gradient passes, or their rate is 0",
                 .remedy = "use them in forward(), or freeze()"};
}

}  // namespace handrail::train
