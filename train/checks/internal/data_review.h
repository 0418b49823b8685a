#pragma once

#include <optional>
#include <vector>

#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/checks/options.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// What the rules about data found.
struct DataReview {
  std::vector<Anomaly> anomalies = {};
  std::optional<double> label_signal = {};  // see NeighbourReport::signal
  double noise_columns = 0;                 // how many columns say nothing of the targets, about
  // Some training rows, and what they were when training began, to be compared with what they are at its end.
  std::vector<Index> kept_rows = {};
  std::optional<Batch> kept = {};
};

/// Looks at columns, targets and rows of both sets by the rules that the options ask for. validation: may be null.
/// plain_loss: whether the loss is one of the library's. Reads each part twice, at most 2^18 and 2^22 of its numbers.
DataReview review_data(const DataPart& train, const DataPart* validation, const CheckOptions& on, Task task,
                       bool plain_loss);

}  // namespace handrail::train
