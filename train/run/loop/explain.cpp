#include <handrail/train/run/loop/explain.h>

#include <cmath>
#include <limits>

#include <handrail/core/error.h>
#include <handrail/core/first_non_finite.h>
#include <handrail/core/system/finite.h>

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

// Makes the step again, from its batches and its position in the random streams, and observes every op. Afterwards the
// buffers are as before the step.
std::optional<FirstNonFinite::Origin> replay(const MicroBatches& batches, const Setup& setup, const Position& at,
                                             BufferCopy& buffers) {
  buffers.restore();
  setup.optimizer->zero_grad();  // an op that adds to a bad gradient must not be taken for its origin
  std::optional<FirstNonFinite::Origin> origin;
  for (Index i = batches.first; i <= batches.last() && !origin; ++i) {
    const Batch batch = setup.loader->batch(i);
    FirstNonFinite observer;
    {
      Tape tape(Mode::train, at.random(setup.decisions.seed, i - batches.first));
      tape.observe(&observer);
      const StepOutput output = setup.training_output(batch, i);
      if (!observer.origin()) tape.backward(output.loss);
    }
    origin = observer.origin();
  }
  buffers.restore();
  setup.optimizer->zero_grad();
  return origin;
}

// The layer to which one of these tensors belongs as a parameter; empty when there is none.
std::string name_of(const std::vector<Tensor>& leaves, const std::vector<Parameter>& parameters) {
  for (const Tensor& leaf : leaves)
    for (const Parameter& p : parameters)
      if (p.tensor.is_same(leaf)) return std::string(optim::layer_of(p.name));
  return {};
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
  const std::string layer = name_of(origin->leaves, setup.parameters);
  anomaly.details += concat("; first seen in the ", to_string(origin->source), " of op '", origin->op, "'",
                            layer.empty() ? "" : " at layer '" + layer + "'");
  if (anomaly.where.empty())
    anomaly.where = layer.empty() ? concat("op '", origin->op, "'") : concat("layer '", layer, "'");
}

}  // namespace handrail::train
