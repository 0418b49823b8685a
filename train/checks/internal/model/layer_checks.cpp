#include <handrail/train/checks/internal/model/layer_checks.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

using Op = StepGraph::Op;

std::string layer_name(const Op& op) { return op.layer.empty() ? std::string() : "layer '" + op.layer + "'"; }

bool is_dropout(const Op& op) { return op.name == "dropout"; }

// Whether it does no more than scale and shift each unit in evaluation.
bool is_scaling(const Op& op) { return is_dropout(op) || op.name == "batch_norm"; }

// The op before this one, those left out of which that holds.
const Op* before(const StepGraph& graph, const Op& op, bool (*left_out)(const Op&)) {
  const Op* previous = graph.previous(op);
  while (previous && left_out(*previous)) previous = graph.previous(*previous);
  return previous;
}

// Whether all rows of the output of this op have the same length, other than 0, because it divides by it.
bool is_unit_length(const Op& op) {
  constexpr double rounding = 1e-3;
  constexpr Index min_rows = 8;
  const Tensor& y = op.output;
  if (op.name != "div" || y.shape().rank() != 2 || y.shape()[0] < min_rows) return false;
  double shortest = HUGE_VAL, longest = 0;
  for (Index i = 0; i < y.shape()[0]; ++i) {
    double squares = 0;
    for (Index j = 0; j < y.shape()[1]; ++j) squares += std::pow(static_cast<double>(y.at({i, j})), 2);
    shortest = std::min(shortest, squares);
    longest = std::max(longest, squares);
  }
  return shortest > 0 && longest - shortest <= rounding * longest;
}

// Whether another op than a linear layer reads the output of this one too, as a residual connection does.
bool is_read_elsewhere(const StepGraph& graph, const Op& op) {
  return std::ranges::any_of(graph.ops(), [&](const Op& reader) {
    return !is_linear(reader) && !is_scaling(reader) &&
           std::ranges::any_of(reader.inputs, [&](const Tensor& input) { return input.is_same(op.output); });
  });
}

// The linear layer before this one whose outputs this one reads unchanged, through several ops that undo each other;
// null for none. A single activation whose units are all on is not meant.
const Op* unchanged_since(const StepGraph& graph, const Op& op) {
  constexpr double rounding = 1e-5;
  int ops = 0;
  const Op* previous = graph.previous(op);
  for (; previous && !is_linear(*previous); previous = graph.previous(*previous)) ++ops;
  const Tensor& read = op.inputs.front();
  if (!previous || ops < 2 || previous->output.size() != read.size()) return nullptr;
  const double bound = rounding * root_mean_square(read);
  for (Index i = 0; i < read.size(); ++i)
    if (!(std::abs(static_cast<double>(read.data()[i]) - static_cast<double>(previous->output.data()[i])) <= bound))
      return nullptr;
  return previous;
}

// Whether such an op gets the output of this op as its first input.
template <class Is>
bool is_followed_by(const StepGraph& graph, const Op& op, Is&& is) {
  return std::ranges::any_of(graph.ops(), [&](const Op& next) { return is(next) && graph.previous(next) == &op; });
}

// Whether a layer norm is over the two units of this op, of which it leaves little more than which one is larger.
bool is_norm_of_two(const StepGraph& graph, const Op& op) {
  return op.output.shape().cols() == 2 &&
         is_followed_by(graph, op, [](const Op& next) { return next.name == "layer_norm"; });
}

// Whether a softmax makes weights of the output of this op, so that it is not what later layers read.
bool is_score(const StepGraph& graph, const Op& op) {
  return is_followed_by(graph, op, [](const Op& next) { return next.name == "softmax"; });
}

// Of the numbers that were not 0, how many there are and how many this dropout sets to 0.
struct Dropped {
  Index numbers = 0, dropped = 0;
};
Dropped dropped_by(const Op& op) {
  const auto before = op.inputs.front().span(), after = op.output.span();
  Dropped count;
  for (std::size_t i = 0; i < before.size(); ++i) {
    count.numbers += before[i] != 0;
    count.dropped += before[i] != 0 && after[i] == 0;
  }
  return count;
}

// A layer that gets one number of many units, which a mean or a sum over them leaves.
std::optional<Anomaly> check_lost_units(const StepGraph& graph) {
  constexpr Index many_units = 4;
  for (const Op& op : graph.ops()) {
    const Op* previous = is_linear(op) ? graph.previous(op) : nullptr;
    if (!previous || is_linear(*previous) || op.inputs.front().shape().cols() != 1) continue;
    const Shape before = previous->inputs.front().shape();
    if (before.rank() != 2 || before.cols() < many_units || before.rows() != op.output.shape().rows()) continue;
    return Anomaly{.name = "bottleneck",
                   .where = concat("op '", previous->name, "'"),
                   .evidence = concat("it makes one number of the ", before.cols(), " units of each sample before ",
                                      layer_name(op)),
                   .cause = "a mean or sum over the units: what tells the samples apart does not get through it",
                   .remedy = "remove it"};
  }
  return std::nullopt;
}

// Dropouts of narrow layers one after another: a path from the inputs to the outputs is left with the product of the
// shares that each keeps, and few units of a layer are left for what is lost.
std::optional<Anomaly> check_many_dropouts(const StepGraph& graph) {
  constexpr double min_paths = 0.05;
  constexpr Index few_units = 10;
  double paths = 1;
  Index dropouts = 0, fewest = few_units;
  for (const Op& op : graph.ops()) {
    if (op.name != "dropout" || op.output.shape().rank() != 2) continue;
    const auto [numbers, dropped] = dropped_by(op);
    const double kept = 1 - static_cast<double>(dropped) / static_cast<double>(std::max<Index>(numbers, 1));
    const auto units = static_cast<double>(op.output.shape().cols());
    paths *= kept;
    fewest = std::min(fewest, static_cast<Index>(std::lround(kept * units)));
    ++dropouts;
  }
  if (dropouts < 2 || paths >= min_paths || fewest >= few_units) return std::nullopt;
  return Anomaly{.name = "dropout_too_high",
                 .where = concat(dropouts, " dropouts"),
                 .evidence = concat("together they leave ", short_form(100 * paths, 2), " % of the paths, and ", fewest,
                                    " units of a layer"),
                 .cause = "dropout in every one of several narrow layers: hardly any of the signal gets through",
                 .remedy = "use p of 0.1 to 0.2, or wider layers"};
}

}  // namespace

std::vector<Anomaly> check_dropout(const RecordedStep& step) {
  constexpr Index min_numbers = 100;
  constexpr double max_share = 0.75;
  std::vector<Anomaly> found;
  const Op* last = last_op(step);
  if (last && last->name == "dropout")
    found.push_back({.name = "dropout_on_output",
                     .where = "op 'dropout' at the output",
                     .evidence = "dropout sets predictions to 0 at random in training",
                     .cause = "a dropout after the last layer: the model is trained on predictions it never makes",
                     .remedy = "remove the dropout after the last layer"});
  for (const Op& op : step.graph.ops()) {
    if (op.name != "dropout") continue;
    const auto [numbers, dropped] = dropped_by(op);
    const double share = static_cast<double>(dropped) / static_cast<double>(std::max<Index>(numbers, 1));
    if (numbers < min_numbers || share <= max_share) continue;
    found.push_back(
        {.name = "dropout_too_high",
         .where = "op 'dropout'",
         .evidence = concat("it sets ", short_form(100 * share, 2), " % of its inputs to 0"),
         .cause = "a dropout probability that leaves too little of the signal; p is the share that is dropped",
         .remedy = "use p from 0.1 to 0.5"});
    return found;
  }
  if (auto many = check_many_dropouts(step.graph)) found.push_back(std::move(*many));
  return found;
}

std::vector<Anomaly> check_linear_after_linear(const RecordedStep& step) {
  std::vector<Anomaly> found;
  for (const Op& op : step.graph.ops()) {
    if (!is_linear(op)) continue;
    const Op *previous = before(step.graph, op, is_scaling), *since = unchanged_since(step.graph, op);
    if (since)
      previous = since;
    else if (!previous || !is_linear(*previous) || is_read_elsewhere(step.graph, *previous))
      continue;
    const Index in = previous->inputs.front().shape().cols(), middle = previous->output.shape().cols(),
                out = op.output.shape().cols();
    if (middle < std::min(in, out)) continue;
    found.push_back({.name = "linear_after_linear",
                     .where = concat(layer_name(*previous), " and ", layer_name(op)),
                     .evidence = since ? "what is between them gives back what it reads" : "no activation between them",
                     .cause = "a missing activation: together they compute no more than one linear layer",
                     .remedy = "put an activation such as ReLU between them"});
  }
  return found;
}

std::optional<Anomaly> check_activation_twice(const RecordedStep& step) {
  for (const Op& op : step.graph.ops()) {
    if (!is_activation(op) || op.name == "softmax") continue;
    const Op* previous = before(step.graph, op, is_dropout);
    if (!previous || !is_activation(*previous)) continue;
    const bool narrows = op.name == "sigmoid" || op.name == "tanh" || op.name == "softplus";
    return Anomaly{.name = "activation_twice",
                   .where = concat("ops '", previous->name, "' and '", op.name, "'"),
                   .evidence = concat(op.name, " is applied to the output of ", previous->name),
                   .cause = narrows ? "an activation too many, which narrows the range of the units"
                                    : "an activation too many, or a linear layer that is missing between the two",
                   .remedy = narrows ? "keep one of the two" : "keep one of the two, or put a layer between them",
                   .severity = narrows ? Severity::warning : Severity::note};
  }
  return std::nullopt;
}

// A fixed matrix that makes fewer columns of the inputs, before any layer.
std::optional<Anomaly> check_projection(const RecordedStep& step) {
  constexpr Index min_columns = 4;
  for (const Op& op : step.graph.ops()) {
    const bool is_product = op.name == "linear" || op.name == "matmul";
    if (!is_product || !op.inputs.front().is_same(step.inputs) || op.inputs[1].requires_grad()) continue;
    const Index before = step.inputs.shape().cols(), after = op.output.shape().cols();
    if (before < min_columns || 2 * after > before) continue;
    return Anomaly{.name = "bottleneck",
                   .where = "before the first layer",
                   .evidence = concat("a fixed matrix makes ", after, " of the ", before, " columns of the inputs"),
                   .cause = "a projection or pooling that may leave out what tells the samples apart",
                   .remedy = "measure the model without it",
                   .severity = Severity::note};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_bottleneck(const RecordedStep& step) {
  const Tensor predictions = predictions_of(step);
  if (!predictions.defined()) return std::nullopt;
  if (auto projection = check_projection(step)) return projection;
  const Op* last = output_layer(step);
  constexpr Index min_units = 4;
  const Index outputs = predictions.shape().rank() == 2 ? predictions.shape().cols() : 1;
  const Index classes = step.task == Task::multiclass ? outputs : 1;
  for (const Op& op : step.graph.ops()) {
    if (&op == last) break;
    if (!is_linear(op)) continue;
    const Index width = op.output.shape().cols(), before = op.inputs.front().shape().cols();
    const bool few =
        width < min_units && 2 * width < before &&
        ((outputs < before && is_followed_by(step.graph, op, is_activation)) || is_norm_of_two(step.graph, op));
    if (!(2 * width < classes || width == 1 || few) || before <= width || is_score(step.graph, op)) continue;
    return Anomaly{
        .name = "bottleneck",
        .where = layer_name(op),
        .evidence = concat("it has ", width, width == 1 ? " unit" : " units", " for ", before, " inputs and ",
                           step.task == Task::multiclass ? concat(classes, " classes") : "the target"),
        .cause = "a hidden layer that is too narrow: what tells the samples apart does not get through it",
        .remedy = "make it as wide as there are classes, or at least 8 units"};
  }
  return check_lost_units(step.graph);
}

std::vector<Anomaly> check_norms(const RecordedStep& step) {
  constexpr Index min_rows = 8;
  std::vector<Anomaly> found;
  const Op* last = last_op(step);
  if (last && is_unit_length(*last))
    found.push_back({.name = "norm_on_output",
                     .where = concat("op '", last->name, "' at the output"),
                     .evidence = "the predictions of every row have the same length",
                     .cause = "a division by the length after the last layer, as for embeddings: no class can be sure",
                     .remedy = "remove it, or multiply the predictions by a number such as 10"});
  if (last && is_norm(*last))
    found.push_back({.name = "norm_on_output",
                     .where = layer_name(*last),
                     .evidence = concat(last->name, " makes the predictions"),
                     .cause = "a norm after the last layer, which takes size and mean from the predictions",
                     .remedy = "remove the norm after the last layer"});
  for (const Op& op : step.graph.ops()) {
    if (op.name != "batch_norm") continue;
    if (const Index rows = op.output.shape().rows(); rows < min_rows)
      found.push_back(
          {.name = "small_batch_norm",
           .where = layer_name(op),
           .evidence = concat("it normalises over ", rows, " samples"),
           .cause = "a batch that is too small for batch norm: mean and variance of so few samples are noise",
           .remedy = "use a batch_size of 16 or more, or LayerNorm"});
    const Op* previous = step.graph.previous(op);
    if (previous && previous->name == "dropout")
      found.push_back({.name = "dropout_before_norm",
                       .where = layer_name(op),
                       .evidence = "batch_norm gets the output of dropout",
                       .cause = "the statistics of batch_norm are those with dropout, and evaluation has none",
                       .remedy = "put the dropout after the norm",
                       .severity = Severity::note});
  }
  return found;
}

std::string useless_biases(const RecordedStep& step) {
  std::string layers;
  for (const Op& op : step.graph.ops()) {
    const Op* previous = op.name == "batch_norm" ? step.graph.previous(op) : nullptr;
    if (previous && is_linear(*previous) && previous->inputs.size() == 3)
      layers += (layers.empty() ? "" : ", ") + previous->layer;
  }
  return layers;
}

std::optional<Anomaly> check_depth(const RecordedStep& step) {
  constexpr int min_layers = 6;
  constexpr double min_share = 0.01;
  const Op* last = last_op(step);
  if (!last || !is_linear(*last)) return std::nullopt;
  int layers = 0;
  for (const Op* op = last; op; op = step.graph.previous(*op)) {
    if (is_norm(*op) || op->name == "add") return std::nullopt;
    layers += is_linear(*op) ? 1 : 0;
  }
  const double at_first = relative_deviation(step.inputs), at_last = relative_deviation(last->inputs.front());
  if (layers < min_layers || !(at_last < min_share * at_first)) return std::nullopt;
  return Anomaly{
      .name = "too_deep",
      .where = layer_name(*last),
      .evidence = concat("after ", layers, " layers the samples differ by ", short_form(100 * at_last, 2),
                         " % of the size of their numbers; as inputs by ", short_form(100 * at_first, 2), " %"),
      .cause = "many layers without a norm or a residual connection: the signal is lost on the way",
      .remedy = "use fewer layers, a norm after each, or residual connections"};
}

}  // namespace handrail::train
