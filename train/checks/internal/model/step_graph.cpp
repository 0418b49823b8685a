#include <handrail/train/checks/internal/model/step_graph.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <handrail/optim/optimizer.h>

namespace handrail::train {

std::optional<std::size_t> StepGraph::maker(const Tensor& tensor) const {
  if (!tensor.defined()) return std::nullopt;
  for (std::size_t i = ops_.size(); i-- > 0;)
    if (ops_[i].output.is_same(tensor)) return ops_[i].name == "reshape" ? ops_[i].previous : i;
  return std::nullopt;
}

bool StepGraph::depends_on(std::size_t op, const Tensor& tensor) const {
  std::vector<char> reached(op + 1, 0);
  reached[op] = 1;
  for (std::size_t i = op + 1; i-- > 0;) {
    if (!reached[i]) continue;
    for (const Tensor& input : ops_[i].inputs) {
      if (input.is_same(tensor)) return true;
      for (std::size_t k = 0; k < i; ++k)
        if (ops_[k].output.is_same(input)) reached[k] = 1;
    }
  }
  return false;
}

std::string layer_among(std::span<const Tensor> tensors, std::span<const Parameter> parameters) {
  for (const Tensor& tensor : tensors)
    for (const Parameter& p : parameters)
      if (p.tensor.is_same(tensor)) return std::string(optim::layer_of(p.name));
  return {};
}

void StepGraph::keep_gradient_of(const Tensor& tensor) {
  const auto number = maker(tensor);
  kept_node_ = number ? ops_[*number].node : -1;
}

void StepGraph::backward(const char*, Index node, const Tensor& output_grad, std::span<const InputGrad>) {
  if (node == kept_node_ && node >= 0) kept_ = output_grad.clone();
}

void StepGraph::forward(const char* name, Index node, std::span<const Input> inputs, const Tensor& output) {
  Op op{.name = name, .inputs = {}, .output = output, .layer = {}, .previous = {}, .node = node};
  for (const Input& input : inputs) op.inputs.push_back(input.tensor());
  op.layer = layer_among(op.inputs, parameters_);
  if (!op.inputs.empty()) op.previous = maker(op.inputs.front());
  ops_.push_back(std::move(op));
}

namespace {

constexpr std::array<std::string_view, 5> loss_ops{"cross_entropy", "binary_cross_entropy_with_logits", "mse_loss",
                                                   "l1_loss", "huber_loss"};
constexpr std::array<std::string_view, 5> products{"linear", "matmul", "mul", "layer_norm", "batch_norm"};
constexpr std::array<std::string_view, 3> scalings{"affine", "mul", "dropout"};
constexpr std::array<std::string_view, 6> activation_ops{"relu", "tanh", "sigmoid", "gelu", "softplus", "softmax"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// The first op after this one that reads its output, views looked through; null when none does.
const StepGraph::Op* reader(const StepGraph& graph, const StepGraph::Op& op) {
  const auto number = static_cast<std::size_t>(&op - graph.ops().data());
  for (const auto& later : graph.ops().subspan(number + 1)) {
    if (later.name == "reshape") continue;
    if (std::ranges::any_of(later.inputs, [&](const Tensor& input) { return graph.maker(input) == number; }))
      return &later;
  }
  return nullptr;
}

}  // namespace

bool is_activation(const StepGraph::Op& op) { return is_one_of(op.name, activation_ops); }

bool is_norm(const StepGraph::Op& op) { return op.name == "batch_norm" || op.name == "layer_norm"; }

bool is_linear(const StepGraph::Op& op) { return (op.name == "linear" || op.name == "matmul") && !op.layer.empty(); }

bool is_all_zero(const Tensor& x) {
  return std::ranges::all_of(x.span(), [](Scalar value) { return value == 0; });
}

bool begins_branch_at_zero(const StepGraph& graph, const StepGraph::Op& op) {
  const std::span<const Tensor> factors(op.inputs.data(), std::min<std::size_t>(2, op.inputs.size()));
  const auto is_zero_parameter = [&](const Tensor& factor) {
    return factor.requires_grad() && !graph.maker(factor) && is_all_zero(factor);
  };
  if (!is_one_of(op.name, products) || !std::ranges::any_of(factors, is_zero_parameter)) return false;
  const auto* at = reader(graph, op);
  while (at && is_one_of(at->name, scalings)) at = reader(graph, *at);
  return at && at->name == "add" && std::ranges::all_of(at->inputs, [&](const Tensor& term) {
           return graph.maker(term) || !term.requires_grad();
         });
}

bool detaches_predictions(const RecordedStep& step) {
  const Tensor predictions = predictions_of(step);
  const auto ops = step.graph.ops();
  if (!predictions.defined()) return false;
  const auto first = step.graph.maker(predictions);
  if (!first) return false;
  // A detached tensor has the memory of an output, and no op has made it.
  for (std::size_t reader = *first + 1; reader < ops.size(); ++reader)
    for (const Tensor& x : ops[reader].inputs) {
      if (x.size() == 0 || x.requires_grad() || step.graph.maker(x)) continue;
      const auto made_before = ops.subspan(*first, reader - *first);
      if (std::ranges::any_of(made_before, [&](const auto& op) { return op.output.data() == x.data(); })) return true;
    }
  return false;
}

Tensor first_layer_inputs(const StepGraph& graph) {
  for (const auto& op : graph.ops())
    if (!op.layer.empty()) return op.inputs.front();
  return {};
}

const StepGraph::Op* loss_op(const StepGraph& graph) {
  const StepGraph::Op* found = nullptr;
  for (const auto& op : graph.ops())
    if (is_one_of(op.name, loss_ops)) found = &op;
  return found;
}

Tensor predictions_of(const RecordedStep& step) {
  if (step.predictions.defined()) return step.predictions;
  const auto* loss = loss_op(step.graph);
  return loss ? loss->inputs.front() : Tensor();
}

double root_mean_square(const Tensor& x) {
  double sum = 0;
  for (const Scalar value : x.span()) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum / static_cast<double>(std::max<Index>(x.size(), 1)));
}

double deviation(const Tensor& x) {
  const Index cols = x.shape().cols(), rows = x.size() / std::max<Index>(cols, 1);
  double squares = 0;
  for (Index j = 0; j < cols; ++j) {
    double sum = 0, sum_of_squares = 0;
    for (Index i = 0; i < rows; ++i) {
      const auto value = static_cast<double>(x.data()[i * cols + j]);
      sum += value;
      sum_of_squares += value * value;
    }
    squares += std::max(0.0, sum_of_squares - sum * sum / static_cast<double>(rows));
  }
  return std::sqrt(squares / static_cast<double>(std::max<Index>(x.size(), 1)));
}

double relative_deviation(const Tensor& x) {
  const double size = root_mean_square(x);
  return size > 0 ? deviation(x) / size : 0;
}

const StepGraph::Op* last_op(const RecordedStep& step) {
  const auto number = step.graph.maker(predictions_of(step));
  return number ? &step.graph.ops()[*number] : nullptr;
}

const StepGraph::Op* output_layer(const RecordedStep& step) {
  const StepGraph::Op* op = last_op(step);
  while (op && !is_linear(*op)) op = step.graph.previous(*op);
  return op;
}

}  // namespace handrail::train
