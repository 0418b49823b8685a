#include <handrail/train/run/internal/preflight/output_trials.h>

#include <algorithm>
#include <limits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/tape.h>
#include <handrail/train/checks/internal/model/loss_checks.h>
#include <handrail/train/checks/internal/model/output_checks.h>

namespace handrail::train {
namespace {

// The targets of the first batches.
Tensor first_targets(const Loader& loader, Stop& stop) {
  constexpr Index wanted = 256;
  std::vector<Scalar> targets;
  Index rows = 0;
  for (Index i = 0; i < loader.size() && rows < wanted; ++i) {
    stop.poll();
    const Tensor more = loader.batch(i).targets;
    targets.insert(targets.end(), more.span().begin(), more.span().end());
    rows += more.shape()[0];
  }
  return {loader.batch(0).targets.shape().with_first(rows), std::move(targets)};
}

}  // namespace

std::vector<Anomaly> try_outputs(const Setup& setup, const Rehearsal& rehearsal, Stop& stop, const Batch& batch,
                                 const RecordedStep& step, const Tensor& gradient) {
  std::vector<Anomaly> found;
  const auto add = [&](std::optional<Anomaly> anomaly) {
    if (anomaly) found.push_back(std::move(*anomaly));
  };
  const Tensor bias = output_bias(step), predictions = predictions_of(step);
  if (bias.defined() && step.predictions.defined() && !check_output_range(step)) {
    add(check_reach_of_outputs(step, bias, [&] {
      stop.poll();
      const InferenceMode inference;
      return setup.recipe.training_step(batch).predictions;
    }));
  }
  const bool has_own_loss =
      predictions.defined() && predictions.shape().rank() > 0 && setup.loss && !setup.plain_loss();
  if (has_own_loss) {
    add(check_bounded(
        [&](const Tensor& y) {
          try {
            const NoGrad values_only;
            return static_cast<double>((*setup.loss)(y, step.targets).item());
          } catch (const Error&) {
            return std::numeric_limits<double>::quiet_NaN();
          }
        },
        predictions.shape()));
    if (!found.empty()) return found;
  }
  add(check_pull(predictions, gradient, step.targets, step.task));
  if (!found.empty() || !has_own_loss) return found;
  // Undefined when the loss cannot take such predictions.
  const auto gradient_of = [&](const Tensor& y, const Tensor& t) -> Tensor {
    try {
      y.set_requires_grad(true);
      Tape tape(Mode::train, rehearsal.random());
      tape.backward((*setup.loss)(y, t));
      return y.grad();
    } catch (const Error&) {
      return {};
    }
  };
  // A model that begins may be right for all rows of a class, so that wrong predictions are tried too.
  const Tensor targets = first_targets(*setup.loader, stop);
  const Shape shape = predictions.shape().with_first(targets.shape()[0]);
  if (const Tensor wrong = wrong_predictions(shape, targets, step.task); wrong.defined()) {
    const Tensor pull = gradient_of(wrong, targets);
    add(check_pull(wrong, pull, targets, step.task));
    if (found.empty()) add(check_weighs_classes(wrong, pull, targets, step.task));
  }
  if (step.task == Task::regression) add(check_weighs_rows_alike(gradient_of, targets));
  if (step.task == Task::regression && found.empty()) add(check_wants_targets(gradient_of, targets));
  return found;
}

}  // namespace handrail::train
