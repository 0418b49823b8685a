#pragma once

#include <optional>
#include <span>

#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// What losses and predictions tell about initial weights, labels and inputs. Pure functions of
// validation predictions with the best weights, but for the first, which looks at the first batch.

namespace handrail::train {

/// "initial_loss": the loss of the first batch is far above ln(classes), that of a guess: more than twice
/// as high, and by 3 at least. binary has 2 classes. A lower loss is that of a trained model. Nothing
/// for a regression.
std::optional<Anomaly> check_initial_loss(double loss, Task task, Index classes = 2);

/// "label_noise": wrong predictions are spread over the classes as if labels had been drawn at random. A
/// natural mistake is mostly the second choice of the model; a random label has any rank among the
/// C - 1 classes not predicted. Named when the mean rank, from 0 for the second choice to 1 for the
/// last, is certainly (one-sided 95 %) above what is natural for a model of this accuracy, which goes
/// from 0.17 without mistakes to 0.5 by chance; at least 10 predictions and 5 % are wrong, at most
/// three quarters of what chance gets wrong; and the model is clearly better than the most frequent
/// class. Labels exchanged between two classes stay unseen, and so does noise when C < 3: no ranks.
/// predictions: logits [N, C]; targets: [N]. rows: numbers of the samples, for the message; 0, 1, ...
/// when empty.
std::optional<Anomaly> diagnose_labels(const Tensor& predictions, const Tensor& targets,
                                       std::span<const Index> rows = {});

/// "no_better_than_baseline": the loss is neither 5 % nor certainly (one-sided 99 %, paired over the
/// samples) below that of predicting the same for every sample, the class frequencies of these targets
/// or their mean; and the accuracy, for classes, is not clearly above that of the most frequent one.
/// The loss is cross entropy (logits [N, C], targets [N]), binary cross entropy of logits, or the
/// mean squared error (both of the shape of the targets), by the task.
/// Nothing for fewer than 10 samples or targets that are all the same.
std::optional<Anomaly> diagnose_baseline(const Tensor& predictions, const Tensor& targets, Task task);

}  // namespace handrail::train
