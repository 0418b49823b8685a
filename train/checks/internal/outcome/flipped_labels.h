#pragma once

#include <optional>
#include <span>

#include <handrail/core/tensor.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// Reports "label_noise", as a note, when labels of one class say another one: of the validation rows that are
/// predicted as class a, many have the label b, while few of those predicted as b have the label a, and the model is as
/// sure of a where the label is b. All of these must hold:
///   share        25 to 48 % of the rows with one of the two labels that are predicted as a have the label b, and 12
///                rows do; at most a third of that share the other way round
///   confidence   the chance that a row with the label a is predicted more surely than one with the label b (Mann and
///                Whitney 1947) is below 0.6, and with 1.6 standard errors below 0.75: natural mistakes are less sure
/// predictions: logits [N, C] of two classes or more, or [N] of a binary task. rows: the numbers of the rows in the
/// data set, when they are known.
std::optional<Anomaly> diagnose_flips(const Tensor& predictions, const Tensor& targets, std::span<const Index> rows);

}  // namespace handrail::train
