#pragma once

#include <functional>
#include <optional>
#include <span>

#include <handrail/core/parameter.h>
#include <handrail/train/data/dataset.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/anomaly.h>

namespace handrail::train {

/// Reports "wrong_gradient" when the loss does not change along a gradient as that gradient says. With u = g / |g| for
/// the gradient g of these parameters together, the central difference
///   (L(w + h u) - L(w - h u)) / (2 h |g|)
/// is 1 to within 30 % for at least one of three h, at which the loss should change by 2, 0.4 and 0.08 %. This is the
/// directional form of the usual gradient check, with a step that suits float. Where the gradient is so small that the
/// smallest h is no small change of the weights, it is wrong when the loss changes by ten times as much as it says, and
/// by 2 %, on a straight line; parameters without a gradient are left out. parameters: with the gradients of `loss` at
/// the present weights; they are unchanged afterwards. loss: computes the loss of the same batch with the same random
/// numbers. at: what it returns for the present weights.
std::optional<Anomaly> check_gradient(std::span<const Parameter> parameters, const std::function<double()>& loss,
                                      double at);

/// Whether the root mean square of the inputs, and of the targets of a regression, is between 0.01 and 10.
bool is_of_usual_size(const Batch& batch, Task task);
/// The batch with mean 0 and standard deviation 1 in each column of the inputs, and of the targets of a regression. A
/// column is cut at 3 standard deviations, and is 0 when it is constant.
Batch standardised(const Batch& batch, Task task);

}  // namespace handrail::train
