#include <handrail/train/run/loop/weight_watch.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/system/internal/kernels.h>
#include <handrail/train/files/text.h>

namespace handrail::train {

WeightWatch::WeightWatch(const std::vector<Parameter>& parameters) : parameters_(parameters) {
  versions_.reserve(parameters.size());
}

void WeightWatch::note() {
  if (reported_) return;
  versions_.resize(parameters_.size());
  for (std::size_t p = 0; p < parameters_.size(); ++p) versions_[p] = parameters_[p].tensor.version();
  if (weights_.empty()) return;
  updates_ += change();
  keep();
}

void WeightWatch::keep() {
  for (std::size_t p = 0; p < weights_.size(); ++p)
    std::ranges::copy(parameters_[p].tensor.span(), weights_[p].mutable_data());
}

std::optional<Anomaly> WeightWatch::look(std::int64_t step) {
  constexpr std::int64_t min_changes = 3;
  constexpr double large = 0.01, min_of_update = 0.5;
  if (reported_ || versions_.empty()) return std::nullopt;
  const Parameter* written = nullptr;
  for (std::size_t p = 0; p < parameters_.size() && !written; ++p)
    if (parameters_[p].tensor.version() != versions_[p]) [[unlikely]]
      written = &parameters_[p];
  if (!written) [[likely]]
    return std::nullopt;
  if (weights_.empty()) {
    for (const Parameter& p : parameters_) weights_.push_back(p.tensor.clone());
    return std::nullopt;
  }
  const double now = change();
  if (now == 0) return std::nullopt;  // written with the values that they had
  if (!first_) first_ = written;
  sum_ += now;
  keep();
  if (++changes_ < min_changes) return std::nullopt;
  reported_ = true;
  weights_.clear();
  const double mean = sum_ / static_cast<double>(changes_);
  const bool undoes = sum_ > min_of_update * updates_;
  return Anomaly{.name = "weights_overwritten",
                 .step = step,
                 .where = first_->name,
                 .evidence = concat("written to between steps, changed by ", short_form(100 * mean, 3), " %"),
                 .cause = "a hook or training_step sets weights: a copy that is loaded, an initialiser, a constraint",
                 .remedy = "leave weights to the optimizer",
                 .details = concat("in ", changes_, " of the steps since the first write; the updates since then ",
                                   "changed the weights by ", short_form(100 * updates_, 3), " % in all"),
                 .severity = mean > large || undoes ? Severity::warning : Severity::note};
}

// The norm of the difference to the weights that were noted, over the norm of those.
double WeightWatch::change() const {
  double squares = 0, all = 0;
  for (std::size_t p = 0; p < weights_.size(); ++p) {
    const auto now = parameters_[p].tensor.span(), before = weights_[p].span();
    squares += kernels_here().squared_distance(now.data(), before.data(), std::ssize(now));
    all += kernels_here().sum_of_squares(before.data(), std::ssize(before));
  }
  return all > 0 ? std::sqrt(squares / all) : squares > 0 ? 1 : 0;
}

}  // namespace handrail::train
