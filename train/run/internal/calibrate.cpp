#include <handrail/train/run/internal/calibrate.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/tape.h>
#include <handrail/nn/linear.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/metrics/calibration.h>

namespace handrail::train {
namespace {

// Predictions and targets of validation rows.
struct Predicted {
  Tensor logits, targets;
};

// Nothing when the step returns no predictions.
std::optional<Predicted> predict(const Setup& setup, Stop& stop) {
  constexpr Index max_numbers = Index{1} << 22;  // the fit goes through them about forty times
  const InferenceMode inference;
  const Loader& loader = *setup.validation;
  const Index batches = std::min(loader.size(), setup.options.limit_val_batches.value_or(loader.size()));
  std::vector<Tensor> logits, targets;
  Index numbers = 0;
  for (Index i = 0; i < batches && numbers < max_numbers; ++i) {
    stop.look_at_end();
    if (stop.signal() != 0) throw Interrupted{};
    const Batch batch = loader.batch(i);
    const Tensor predictions = setup.recipe.validation_step(batch).predictions;
    if (!predictions.defined()) return std::nullopt;
    numbers += predictions.size();
    logits.push_back(predictions);
    targets.push_back(batch.targets);
  }
  return Predicted{cat(logits), cat(targets)};
}

struct Measured {
  double loss, error;
};

Measured measure(const Setup& setup, const Predicted& rows) {
  CalibrationError bins;
  bins.add(setup.info.task, rows.logits, rows.targets);
  const InferenceMode inference;
  const Tensor loss = setup.info.task == Task::multiclass ? cross_entropy(rows.logits, rows.targets)
                                                          : binary_cross_entropy_with_logits(rows.logits, rows.targets);
  return {static_cast<double>(loss.item()), bins.value()};
}

// Whether these are the logits before, divided, but for rounding.
bool are_divided(const Tensor& now, const Tensor& before, double divisor) {
  constexpr double tolerance = 1e-4;
  double largest = 0, difference = 0;
  for (Index i = 0; i < before.size(); ++i) {
    const double wanted = static_cast<double>(before.data()[i]) / divisor;
    largest = std::max(largest, std::abs(wanted));
    difference = std::max(difference, std::abs(static_cast<double>(now.data()[i]) - wanted));
  }
  return difference <= tolerance * largest;
}

}  // namespace

bool divide_last_linear(const nn::Module& model, double divisor) {
  const nn::Linear* last = nullptr;
  for (const nn::Module* module : model.modules())
    if (const auto* linear = dynamic_cast<const nn::Linear*>(module)) last = linear;
  if (!last) return false;
  const auto divide = [divisor](const Tensor& tensor) {
    for (Scalar& value : tensor.mutable_span()) value = static_cast<Scalar>(static_cast<double>(value) / divisor);
  };
  divide(last->weight);
  if (last->bias.defined()) divide(last->bias);
  return true;
}

Calibration calibrate(const Setup& setup, Stop& stop) {
  Calibration result;
  if (setup.info.task == Task::regression) return result.reason = "a regression has no probabilities", result;
  if (!setup.validation) return result.reason = "there are no validation rows", result;
  const auto before = predict(setup, stop);
  if (!before) return result.reason = "validation_step returns no predictions", result;
  const Temperature fitted = fit_temperature(setup.info.task, before->logits, before->targets);
  const Measured raw = measure(setup, *before);
  result.temperature = fitted.value;
  result.rows = before->targets.shape()[0];
  result.loss_before = result.loss_after = raw.loss;
  result.error_before = result.error_after = raw.error;
  constexpr double significant = 3.84;  // chi squared with one degree of freedom, 95 %
  if (!(fitted.likelihood_ratio > significant))
    return result.reason = "the temperature does not differ significantly from 1", result;
  const ModelState weights = capture(setup.model);
  const auto put_back = [&] { write_back(setup.parameters, setup.buffers, weights.parameters, weights.buffers); };
  std::optional<Predicted> after;
  try {
    if (divide_last_linear(setup.model, fitted.value)) after = predict(setup, stop);
  } catch (...) {
    put_back();
    throw;
  }
  if (!after || !are_divided(after->logits, before->logits, fitted.value)) {
    put_back();
    return result.reason = "the outputs are not those of the last nn::Linear of the model", result;
  }
  const Measured now = measure(setup, *after);
  result.loss_after = now.loss;
  result.error_after = now.error;
  result.kept = true;
  return result;
}

}  // namespace handrail::train
