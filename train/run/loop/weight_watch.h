#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// Finds writes to the weights between steps, by the version counters of the parameters, and reports them once
/// ("weights_overwritten") when three have changed a weight. It is a warning when the norm of such a change is on
/// average more than 1 % of that of the weights, or when all changes together are more than half of what the updates
/// since the first write have changed, so that little of these is left. Else it is a note, as for a constraint on the
/// weights. After the first write the weights are copied at every step, to measure the changes.
class WeightWatch {
 public:
  explicit WeightWatch(const std::vector<Parameter>& parameters);

  /// Notes that the weights are as the run has left them. Call it at the end of each step.
  void note();
  /// Looks whether they are so still. Call it at the beginning of the next step, whose number is given.
  std::optional<Anomaly> look(std::int64_t step);

 private:
  double change() const;
  void keep();

  const std::vector<Parameter>& parameters_;
  std::vector<std::uint32_t> versions_;  // empty before the first note
  std::vector<Tensor> weights_;          // as they were last left; empty before the first write
  const Parameter* first_ = nullptr;     // the first parameter that was written to
  std::int64_t changes_ = 0;
  double sum_ = 0;      // of the relative sizes of the changes
  double updates_ = 0;  // of the relative sizes of the updates since the first write
  bool reported_ = false;
};

}  // namespace handrail::train
