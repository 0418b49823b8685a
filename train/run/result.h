#pragma once

#include <optional>
#include <string>
#include <vector>

#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// What fit returns.
struct FitResult : FitEnd {
  std::optional<LrFinderResult> lr_finder = {};  // when the LR finder was asked for the rate

  /// For main to return: 0; 1 when the last state could not be saved; 128 and the number of the signal when
  /// interrupted, as shells have it.
  int exit_status() const;
  /// The anomalies as a diagnosis: the first of each name, likely causes before what they lead to: data and
  /// model as they were before the first step, then values that are not finite, the rate, the labels, and
  /// symptoms such as dead units at last; in order of time among equals.
  std::vector<Anomaly> diagnosis() const;
  /// The diagnosis as text for people: a line for each anomaly, with all that was measured. Empty without anomalies.
  std::string diagnosis_text() const;
};

}  // namespace handrail::train
