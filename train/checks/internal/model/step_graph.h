#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/core/tape.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// The ops of a training step, in the order in which they ran, with what they read and made. A tape observes for it:
///
///   StepGraph graph(model.parameters());
///   Tape tape(Mode::train, position);
///   tape.observe(&graph);
///   ... the step
///
/// It keeps the outputs of all ops, as the tape does. Views, which have an op of their own (reshape), are looked
/// through.
class StepGraph final : public TapeObserver {
 public:
  struct Op {
    std::string_view name;
    std::vector<Tensor> inputs;
    Tensor output;
    std::string layer;                    // to which a parameter among the inputs belongs; empty when there is none
    std::optional<std::size_t> previous;  // the op that made its first input, views looked through
    Index node;                           // on the tape; -1 when it was not recorded
  };

  /// parameters: those of the model, which give the names of the layers.
  explicit StepGraph(std::vector<Parameter> parameters) : parameters_(std::move(parameters)) {}

  std::span<const Op> ops() const { return ops_; }
  /// The number of the op that made the tensor, views looked through; nothing when none did.
  std::optional<std::size_t> maker(const Tensor& tensor) const;
  /// The op that made its first input; null when none did.
  const Op* previous(const Op& op) const { return op.previous ? &ops_[*op.previous] : nullptr; }
  /// Whether the op read this tensor, or an op did whose output it read, directly or through others.
  bool depends_on(std::size_t op, const Tensor& tensor) const;

  void forward(const char* op, Index node, std::span<const Input> inputs, const Tensor& output) override;
  /// Keeps the gradient of the tensor when the tape runs backward and still observes.
  void keep_gradient_of(const Tensor& tensor);
  /// The gradient of that tensor; undefined before backward, and when the loss does not depend on the tensor.
  Tensor kept_gradient() const { return kept_; }
  void backward(const char*, Index node, const Tensor& output_grad, std::span<const InputGrad>) override;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Op> ops_;
  Index kept_node_ = -1;
  Tensor kept_;
};

/// The layer to which the first of these tensors that is a parameter belongs; empty when none is.
std::string layer_among(std::span<const Tensor> tensors, std::span<const Parameter> parameters);

/// A training step that was recorded.
struct RecordedStep {
  const StepGraph& graph;
  Tensor loss;
  Tensor predictions;      // undefined when the program does not tell them
  Tensor inputs, targets;  // of the batch
  Task task;
};

/// The predictions: those that the program tells, or else what the loss reads; undefined when neither is known.
Tensor predictions_of(const RecordedStep& step);
/// The op that made the predictions; null when none is known.
const StepGraph::Op* last_op(const RecordedStep& step);
/// The last linear layer on the way to the predictions, whatever scales or normalises its outputs; null when none is
/// known.
const StepGraph::Op* output_layer(const RecordedStep& step);
/// Whether what makes the loss of the predictions reads something of them through detach(), so that the gradient is not
/// meant to be all of the slope.
bool detaches_predictions(const RecordedStep& step);
/// What the first layer with parameters reads; undefined when there is none.
Tensor first_layer_inputs(const StepGraph& graph);
/// The last op that is a loss of core/ops/ops.h; null when a program computes its loss otherwise.
const StepGraph::Op* loss_op(const StepGraph& graph);
/// Whether the op is relu, tanh, sigmoid, gelu, softplus or softmax.
bool is_activation(const StepGraph::Op& op);
/// Whether the op is batch_norm or layer_norm.
bool is_norm(const StepGraph::Op& op);
/// Whether the op is the product of a layer with parameters.
bool is_linear(const StepGraph::Op& op);

/// Whether a residual branch begins at zero with this op: it multiplies by a parameter that is all 0, and its outputs,
/// perhaps scaled or dropped out, are added to those of another op. Such a branch trains, because that parameter has a
/// gradient; the others of the branch get one after the first update (Zhang, Dauphin, Ma 2019; Bachlechner et al. 2021;
/// Hu et al. 2022).
bool begins_branch_at_zero(const StepGraph& graph, const StepGraph::Op& op);

/// Whether all elements are 0.
bool is_all_zero(const Tensor& x);
/// The root mean square of all elements.
double root_mean_square(const Tensor& x);
/// How much the samples differ: the root mean square of the deviations from the mean row. x: [N, ...].
double deviation(const Tensor& x);
/// The deviation divided by the root mean square; 0 when all elements are 0.
double relative_deviation(const Tensor& x);

}  // namespace handrail::train
