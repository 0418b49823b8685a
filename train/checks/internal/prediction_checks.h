#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Pure functions that find faults of initial weights, labels and inputs in losses and predictions. check_initial_loss
// looks at the first batch before training; the others look at predictions on the validation set after training.

namespace handrail::train {

/// Reports "initial_loss" when the loss of the first batch, in nats, is far above ln(classes), which is the loss of a
/// guess: more than twice as high, and higher by more than 3. A loss below that of a guess is not reported: the model
/// may be trained already. A binary task has 2 classes. Returns nothing for a regression.
std::optional<Anomaly> check_initial_loss(double loss, Task task, Index classes = 2);

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

/// Reports "below_chance" when fewer predictions are correct than guesses would be, 1 / C of them, by more than 2
/// standard errors. A model that has learnt nothing is not below chance: what it has learnt is turned round. Takes
/// predictions and targets of a multiclass or binary task as diagnose_baseline does, and throws what it throws. Returns
/// nothing for a regression, for fewer than 10 samples, and for values that are not finite.
std::optional<Anomaly> diagnose_chance(const Tensor& predictions, const Tensor& targets, Task task);

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

/// Reports "no_better_than_baseline" when the model is no better than the same prediction for every sample: the class
/// frequencies of these targets or, for a regression, their mean. All of these must hold:
///   loss       lower than the baseline's by at most 5 %
///   loss       not significantly lower (one-sided 99 %, paired over the samples)
///   accuracy   not above that of the most frequent class by more than 2 standard errors; classes only
/// The task chooses the loss:
///   multiclass   cross entropy; predictions: logits [N, C]; targets: [N]
///   binary       binary cross entropy; predictions: logits of the shape of the targets
///   regression   mean squared error; predictions of the shape of the targets
/// Returns nothing for fewer than 10 samples, for targets that are all the same, and for values that are not finite.
/// Throws ShapeError on other shapes, DataError on a target that is no class.
std::optional<Anomaly> diagnose_baseline(const Tensor& predictions, const Tensor& targets, Task task);

/// What the predictions tell, by the functions above, the first that is found: a recoding, predictions below chance, a
/// model that is no better than the baseline, or random labels. "labels_shuffled" comes before
/// "no_better_than_baseline" when the inputs do not tell the targets, as `signal` (NeighbourReport::signal, in standard
/// errors) is below 3. plain: whether the loss is one of the library's; for others only predictions below chance are
/// looked for.
std::vector<Anomaly> diagnose(const Tensor& predictions, const Tensor& targets, Task task, bool plain,
                              std::span<const Index> rows, std::optional<double> signal);

}  // namespace handrail::train
