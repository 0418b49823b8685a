#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/core/tape.h>
#include <handrail/optim/optimizer.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// Compares the counters of writes to gradients and weights with the updates that an optimizer has made, in a loop that
/// it does not see. Reports once each, with the names and rules that train/watch.h describes: gradients_accumulate,
/// step_before_backward, optimizer_reset, weights_overwritten, not_trained. Only the constructor allocates memory.
class UpdateWatch {
 public:
  UpdateWatch(std::vector<Parameter> parameters, const optim::Optimizer& optimizer);

  /// Looks at the counters. Call it at the same place in each step of the loop.
  std::optional<Anomaly> look(std::int64_t step);
  /// Whether the optimizer has made an update since the look before the last one. True when it no longer exists.
  bool updated() const { return updated_; }
  /// How many updates it has made since the watch began.
  std::int64_t updates() const { return updates_before_ - updates_at_start_; }
  /// The rate of its last update.
  double lr() const { return lr_; }

 private:
  // The counters of one parameter.
  struct Counts {
    std::uint32_t weights, writes, renewals;
  };
  Counts count(std::size_t p) const;
  std::optional<Anomaly> reset(std::int64_t step);
  std::optional<Anomaly> stale(std::int64_t step);
  std::optional<Anomaly> partly_stale(std::int64_t step, std::int64_t updates);
  std::optional<Anomaly> overwritten(std::int64_t step, std::int64_t updates);
  std::optional<Anomaly> unmoved(std::int64_t step);

  std::vector<Parameter> parameters_;
  const optim::Optimizer* optimizer_;  // null when it no longer exists
  std::weak_ptr<const void> lifetime_;
  std::vector<Counts> start_, before_;  // when the count began, and at the last look
  std::vector<Tensor> weights_;         // when the count began
  std::int64_t updates_at_start_, updates_before_;
  std::int64_t overwritten_ = 0;  // looks that found it
  double lr_ = 0;
  bool updated_ = false;
  bool stale_reported_ = false, overwritten_reported_ = false, unmoved_looked_ = false;
};

}  // namespace handrail::train
