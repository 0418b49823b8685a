#pragma once

#include <optional>
#include <span>
#include <vector>

#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Pure functions that judge losses and predictions. check_initial_loss looks at the first batch before training; the
// others look at predictions on the validation set after training.

namespace handrail::train {

/// Reports "initial_loss" when the loss of the first batch, in nats, is far above ln(classes), which is the loss of a
/// guess: more than twice as high, and higher by more than 3. A loss below that of a guess is not reported: the model
/// may be trained already. A binary task has 2 classes. The outputs, when they are given, tell an output bias that is
/// far off from weights or inputs that are too large. Returns nothing for a regression.
std::optional<Anomaly> check_initial_loss(double loss, Task task, Index classes = 2, const Tensor& outputs = {});

/// Reports "below_chance" when fewer predictions are correct than guesses would be, 1 / C of them, by more than 2
/// standard errors. A model that has learnt nothing is not below chance: what it has learnt is turned round. Takes
/// predictions and targets of a multiclass or binary task as diagnose_baseline does, and throws what it throws. Returns
/// nothing for a regression, for fewer than 10 samples, and for values that are not finite.
std::optional<Anomaly> diagnose_chance(const Tensor& predictions, const Tensor& targets, Task task);

/// Reports "no_better_than_baseline" when the model is no better than the same prediction for every sample: the class
/// frequencies of these targets or, for a regression, their mean. All of these must hold:
///   loss       lower than the baseline's by at most 5 %
///   loss       not significantly lower (one-sided 99 %, paired over the samples)
///   accuracy   not above that of the most frequent class by more than 2 standard errors; classes only
/// The task chooses the loss:
///   multiclass   cross entropy; predictions: logits [N, C]; targets: [N]
///   binary       binary cross entropy; predictions: logits of the shape of the targets
///   regression   mean squared error; predictions of the shape of the targets
/// Returns nothing for fewer than 10 samples, for targets that are all the same, and for values that are not finite. It
/// is a note for fewer than 40.
/// Throws ShapeError on other shapes, DataError on a target that is no class.
std::optional<Anomaly> diagnose_baseline(const Tensor& predictions, const Tensor& targets, Task task);

/// Inputs whose signal (NeighbourReport::signal) is below this do not tell the targets.
constexpr double min_label_signal = 3;
/// "labels_shuffled", for that signal. was_tried: whether the predictions do not tell the targets either.
Anomaly shuffled_labels(double signal, bool was_tried);

/// What the predictions tell, by the functions above and those of label_diagnosis.h, the first that is found: a
/// recoding, shuffled labels, predictions below chance, shifted targets, a model that is no better than the baseline,
/// or random labels. Labels are shuffled when neither the inputs, by their signal, nor the predictions, nor the two
/// together, tell them, which is a note for fewer than 40 rows; the baseline comes behind it. It is a note where the
/// order of the logits tells the classes. plain: whether the loss is one of the library's; for others only shuffled
/// labels and predictions below chance are looked for.
std::vector<Anomaly> diagnose(const Tensor& predictions, const Tensor& targets, Task task, bool plain,
                              std::span<const Index> rows, std::optional<double> signal);

}  // namespace handrail::train
