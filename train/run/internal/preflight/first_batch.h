#pragma once

#include <optional>
#include <vector>

#include <handrail/train/run/loop/position.h>
#include <handrail/train/run/loop/stop.h>

namespace handrail::train {

/// What the checks of the first batch found.
struct FirstBatchFindings {
  std::vector<Anomaly> anomalies;    // in the order of the checks
  std::vector<SummaryItem> summary;  // lines for the summary
};

/// Makes the checks of the model that need one batch and no update: its ops, its first values, what loss and
/// predictions depend on, and whether gradients belong to the loss. CheckOptions say which. Model, buffers and random
/// streams are unchanged afterwards, also after an exception. classes: the number of classes, when it is known.
FirstBatchFindings check_first_batch(const Setup& setup, const Position& at, Stop& stop, std::optional<Index> classes);

}  // namespace handrail::train
