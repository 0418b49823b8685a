#pragma once

#include <optional>
#include <span>

#include <handrail/core/tensor.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Pure functions that find faults of the labels in predictions on the validation set after training.

namespace handrail::train {

/// Reports "label_noise" when the wrong predictions look as if their labels had been drawn at random. Where a model is
/// naturally wrong, the label is mostly its second choice; a random label has any rank among the C - 1 classes that
/// were not predicted. Ranks go from 0, the second choice, to 1, the last. All of these must hold:
///   wrong predictions   at least 10, and at least 5 % of all
///   error rate          at most 75 % of that of random guessing, (C - 1) / C
///   accuracy            above the share of the most frequent class by more than 2 standard errors
///   mean rank           significantly (one-sided 95 %) above 0.17 + 0.33 * error rate / error rate of guessing, which
///                       is natural for a model of this accuracy
/// Labels that are swapped between two classes are not found. Returns nothing for C < 3, where there are no ranks, and
/// for logits that are not finite.
/// predictions: logits [N, C]; targets: [N], whole numbers in [0, C). rows: the row numbers of the samples, which the
/// message names; when empty, 0, 1, ...
/// Throws ShapeError on other shapes, DataError on a target that is no class.
std::optional<Anomaly> diagnose_labels(const Tensor& predictions, const Tensor& targets,
                                       std::span<const Index> rows = {});

/// Reports "label_noise" of two classes when wrong predictions are as confident as right ones. Where a model is
/// naturally wrong, it is in doubt: the chance that a right prediction is more confident than a wrong one is then about
/// 0.96 - error rate (normal inputs with equal covariances and an ideal model). All of these must hold:
///   wrong predictions   at least 20, at least 5 % and at most 35 % of all
///   that chance         significantly (one-sided 95 %) below the middle between 0.5 and the natural one
/// predictions: logits [N] or [N, 1], or [N, 2] of classes; targets: as many zeros and ones. Returns nothing for other
/// targets, and for logits that are not finite. rows: as in diagnose_labels. Throws ShapeError on other shapes.
std::optional<Anomaly> diagnose_binary_labels(const Tensor& predictions, const Tensor& targets,
                                              std::span<const Index> rows = {});

/// Reports "labels_recoded" when classes of the validation set have each other's numbers: see describe_recoding.
/// predictions and targets: as in diagnose_labels or diagnose_binary_labels. Returns nothing for more than 1,000
/// classes.
std::optional<Anomaly> diagnose_recoding(const Tensor& predictions, const Tensor& targets, Task task);

/// Whether the predictions agree with the targets by more than 3 standard errors above chance, as classes or in the
/// order of the logits of a class, or have a shape that cannot be compared with theirs. other: the standard errors by
/// which something else tells the targets, when it is known; of the two together, their sum divided by sqrt(2)
/// (Stouffer 1949), 2 standard errors suffice.
bool tells_targets(const Tensor& predictions, const Tensor& targets, Task task, std::optional<double> other = {});

/// Reports "labels_shifted" when predictions on the validation set agree with the targets of the rows before, or behind
/// their own, by 5 standard errors above chance, and with their own by less than 3. At least 50 pairs of rows that
/// follow each other in the data set. rows: their numbers.
std::optional<Anomaly> diagnose_shift(const Tensor& predictions, const Tensor& targets, Task task,
                                      std::span<const Index> rows);

}  // namespace handrail::train
