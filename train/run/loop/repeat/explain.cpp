#include <handrail/train/run/loop/repeat/explain.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/first_non_finite.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checks/internal/model/step_graph.h>
#include <handrail/train/run/loop/repeat/passes.h>

namespace handrail::train {
namespace {

// Statistics of the inputs or targets of a step.
struct Statistics {
  Index count = 0, bad = 0;
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0, squares = 0;

  void add(const Tensor& values) {
    for (const Scalar value : values.span()) {
      ++count;
      if (!is_finite(value)) {
        ++bad;
        continue;
      }
      const auto x = static_cast<double>(value);
      low = std::min(low, x);
      high = std::max(high, x);
      sum += x;
      squares += x * x;
    }
  }
  std::string text() const {
    const auto good = static_cast<double>(count - bad);
    const double mean = sum / good, variance = squares / good - mean * mean;
    return concat("min ", low, ", max ", high, ", mean ", mean, ", std ", std::sqrt(std::max(0.0, variance)), ", ", bad,
                  " of ", count, " not finite");
  }
};

// The first row with a value that is not finite or whose magnitude is above `limit`; -1 when there is none.
Index find_row(const Tensor& values, double limit) {
  const Index width = values.size() / values.shape()[0];
  for (Index i = 0; i < values.size(); ++i)
    if (!is_finite(values.data()[i]) || std::abs(static_cast<double>(values.data()[i])) > limit) return i / width;
  return -1;
}

// Where a step became not finite. in_loss: whether an op made it after the predictions of the model, which were
// moderate: a model with huge ones is not to be excused by the loss that overflows. in_gradient: whether, with such
// predictions, the backward pass of an op of the model made it.
struct Origin : FirstNonFinite::Origin {
  bool in_loss, in_gradient;
};

bool are_moderate(const Tensor& predictions) {
  constexpr double max_moderate = 1e3;
  return std::ranges::all_of(predictions.span(),
                             [](Scalar value) { return std::abs(static_cast<double>(value)) <= max_moderate; });
}

// Finds the first value that is not finite, and remembers which op made which tensor.
class StepObserver final : public TapeObserver {
 public:
  void forward(const char* op, Index node, std::span<const Input> inputs, const Tensor& output) override {
    finder_.forward(op, node, inputs, output);
    outputs_.push_back(output);
  }
  void backward(const char* op, Index node, const Tensor& output_grad, std::span<const InputGrad> inputs) override {
    finder_.backward(op, node, output_grad, inputs);
  }
  bool has_found() const { return finder_.origin().has_value(); }
  std::optional<Origin> origin(const Tensor& predictions) const {
    if (!has_found()) return std::nullopt;
    Origin origin{*finder_.origin(), false, false};
    const bool by_op =
        origin.source == FirstNonFinite::Source::forward || origin.source == FirstNonFinite::Source::backward;
    if (!by_op || !predictions.defined() || !are_moderate(predictions)) return origin;
    const auto made = std::ranges::find_if(outputs_, [&](const Tensor& output) { return output.is_same(predictions); });
    origin.in_loss = made != outputs_.end() && origin.position > made - outputs_.begin();
    origin.in_gradient = !origin.in_loss && origin.source == FirstNonFinite::Source::backward;
    return origin;
  }

 private:
  FirstNonFinite finder_;
  std::vector<Tensor> outputs_;  // of the ops, in the order in which they ran
};

// Makes the step again, from its batches and its position in the random streams, and observes every op. Afterwards the
// buffers are as before the step.
std::optional<Origin> replay(const MicroBatches& batches, const Setup& setup, const Position& at, BufferCopy& buffers) {
  buffers.restore();
  setup.optimizer->zero_grad();  // an op that adds to a bad gradient must not be taken for its origin
  StepObserver observer;
  Tensor predictions;  // of the batch in which the origin is
  bool found_before = false;
  const auto read = [&](Index i) {
    found_before = observer.has_found();
    return setup.loader->batch(i);
  };
  make_passes(
      setup, at, batches, read,
      [&](const StepOutput& output, const Batch&, double, Index) {
        if (!found_before) predictions = output.predictions;
        return !observer.has_found();
      },
      &observer);
  buffers.restore();
  setup.optimizer->zero_grad();
  return observer.origin(predictions);
}

}  // namespace

void explain(Anomaly& anomaly, const Setup& setup, const Position& at, BufferCopy& buffers) {
  const InferenceMode inference;  // a tape may be active
  const MicroBatches batches = setup.micro_batches(at.batch);
  Statistics inputs, targets;
  // The square of a larger value overflows.
  const double limit = std::sqrt(static_cast<double>(std::numeric_limits<Scalar>::max()));
  for (Index i = batches.first; i <= batches.last(); ++i) {
    const Batch batch = setup.loader->batch(i);
    inputs.add(batch.inputs);
    targets.add(batch.targets);
    for (const auto& [what, part] : {std::pair("an input", batch.inputs), std::pair("a target", batch.targets)}) {
      const Index row = find_row(part, limit);
      if (row < 0 || !anomaly.where.empty()) continue;
      anomaly.rank = Rank::bad_row;
      anomaly.where = concat("row ", setup.loader->rows(i)[static_cast<std::size_t>(row)], " of the training set");
      anomaly.cause = concat(what, " in the data that is NaN, infinite or huge");
      anomaly.remedy = "clean that row; checks.finite finds every such row";
    }
  }
  if (!anomaly.details.empty()) anomaly.details += "; ";
  anomaly.details += concat("inputs: ", inputs.text(), "; targets: ", targets.text());
  const auto origin = replay(batches, setup, at, buffers);
  if (!origin) return;
  const std::string op = concat("op '", origin->op, "'");
  const std::string layer = origin->in_loss ? std::string() : layer_among(origin->leaves, setup.parameters);
  anomaly.details += concat("; first seen in the ", to_string(origin->source), " of ", op,
                            origin->in_loss ? " in the loss"
                            : layer.empty() ? ""
                                            : " at layer '" + layer + "'");
  if (!anomaly.where.empty()) return;
  anomaly.where = origin->in_loss ? concat("loss, ", op) : layer.empty() ? op : concat("layer '", layer, "'");
  if (!origin->in_loss && !origin->in_gradient) return;
  anomaly.rank = Rank::setup;
  if (origin->in_gradient) {
    anomaly.cause = concat("a gradient of ", op, " that is not defined for its inputs, such as that of sqrt at 0");
    anomaly.remedy = "look for a division by 0, or a sqrt or log of 0, in that backward pass";
    return;
  }
  anomaly.cause = "a loss that is not defined for all predictions, such as the log or the square root of 0";
  anomaly.remedy = "keep log, sqrt and / away from 0";
}

}  // namespace handrail::train
