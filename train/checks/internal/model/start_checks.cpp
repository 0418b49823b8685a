#include <handrail/train/checks/internal/model/start_checks.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/data/internal/hash.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

double share_of(const Tensor& x, auto&& condition) {
  return static_cast<double>(std::ranges::count_if(x.span(), condition)) /
         static_cast<double>(std::max<Index>(x.size(), 1));
}

bool has_equal_columns(const Tensor& weight) {
  const Index cols = weight.shape()[1];
  if (cols < 2) return false;
  const Scalar* row = weight.data();
  for (Index i = 0; i < weight.shape()[0]; ++i, row += cols)
    for (Index j = 1; j < cols; ++j)
      if (row[j] != row[0]) return false;
  return true;
}

bool reads(const StepGraph::Op& op, const Tensor& parameter) {
  return std::ranges::any_of(op.inputs, [&](const Tensor& input) { return input.is_same(parameter); });
}

// The share of the outputs of a tanh, sigmoid or clamp that are at its limits.
double share_at_limits(const StepGraph::Op& op) {
  const Tensor& y = op.output;
  if (op.name == "tanh") return share_of(y, [](Scalar v) { return std::abs(v) > Scalar(0.99); });
  if (op.name == "sigmoid") return share_of(y, [](Scalar v) { return v < Scalar(0.01) || v > Scalar(0.99); });
  if (y.size() == 0) return 0;
  const Scalar low = std::ranges::min(y.span()), high = std::ranges::max(y.span());
  return low == high ? 0 : share_of(y, [=](Scalar v) { return v == low || v == high; });
}

// How many columns differ from all others in their weights or in their gradients.
Index different_columns(const Tensor& weight, const Tensor& gradient) {
  const Index rows = weight.shape()[0], cols = weight.shape()[1];
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(cols), 0);
  for (const Tensor& numbers : {weight, gradient}) {
    const Scalar* number = numbers.data();
    for (Index i = 0; i < rows; ++i)
      for (std::uint64_t& hash : hashes) {
        std::uint64_t bits = 0;
        std::memcpy(&bits, number++, sizeof *number);
        hash = join_hashes(hash, bits);
      }
  }
  std::ranges::sort(hashes);
  return std::unique(hashes.begin(), hashes.end()) - hashes.begin();
}

// Whether a layer with parameters reads what this op gives: attention, which has none, is another use of softmax.
bool feeds_layer(const StepGraph& graph, const StepGraph::Op& op) {
  return std::ranges::any_of(graph.ops(), [&](const StepGraph::Op& reader) {
    return is_linear(reader) && reader.inputs.front().is_same(op.output);
  });
}

// Whether a layer with parameters comes before this op, and not only the inputs.
bool follows_layer(const StepGraph& graph, const StepGraph::Op& op) {
  for (const auto* at = &op; at; at = graph.previous(*at))
    if (is_linear(*at)) return true;
  return false;
}

std::string layer_before(const StepGraph& graph, const StepGraph::Op& op) {
  for (const auto* at = &op; at; at = graph.previous(*at))
    if (!at->layer.empty()) return "layer '" + at->layer + "'";
  return "op '" + std::string(op.name) + "'";
}

}  // namespace

std::vector<Anomaly> check_equal_units(const RecordedStep& step, std::span<const Parameter> parameters) {
  std::vector<Anomaly> found;
  const auto* last = output_layer(step);
  for (const Parameter& p : parameters) {
    if (p.role != Role::weight || p.tensor.shape().rank() != 2 || !has_equal_columns(p.tensor)) continue;
    const auto begins_branch = [&](const StepGraph::Op& op) {
      return reads(op, p.tensor) && begins_branch_at_zero(step.graph, op);
    };
    if ((last && reads(*last, p.tensor)) || std::ranges::any_of(step.graph.ops(), begins_branch)) continue;
    const Scalar first = p.tensor.data()[0];
    const bool constant = std::ranges::all_of(p.tensor.span(), [first](Scalar w) { return w == first; });
    found.push_back({.name = "equal_units",
                     .where = p.name,
                     .evidence = constant ? concat("all ", p.tensor.size(), " weights are ", short_form(first))
                                          : "all columns are the same",
                     .cause = "initial weights without randomness: all units of the layer stay the same for ever",
                     .remedy = "use the default weights, or nn::init"});
  }
  return found;
}

std::optional<Anomaly> check_copied_units(const RecordedStep& step, std::span<const Parameter> parameters) {
  constexpr Index min_units = 8;
  const auto* last = output_layer(step);
  for (const Parameter& p : parameters) {
    if (p.role != Role::weight || p.tensor.shape().rank() != 2 || has_equal_columns(p.tensor)) continue;
    const Tensor gradient = p.tensor.requires_grad() ? p.tensor.grad() : Tensor();
    if (!gradient.defined() || is_all_zero(gradient) || p.tensor.shape()[1] < min_units) continue;
    if (last && reads(*last, p.tensor)) continue;
    const Index units = p.tensor.shape()[1], different = different_columns(p.tensor, gradient);
    if (2 * different > units) continue;
    return Anomaly{.name = "equal_units",
                   .where = p.name,
                   .evidence = concat("of ", units, " units only ", different,
                                      " are different: the others have the same weights and the same gradients"),
                   .cause = "units that were copied without noise: copies stay the same for ever",
                   .remedy = "add noise to the copies, or use the default weights"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_saturation(const RecordedStep& step) {
  constexpr double most = 0.5, nearly_all = 0.9;  // relu6 is a clamp whose lower limit holds back half of its inputs
  const auto last = step.graph.maker(step.predictions);
  for (std::size_t i = 0; i < step.graph.ops().size(); ++i) {
    const auto& op = step.graph.ops()[i];
    const bool is_tanh = op.name == "tanh", is_clamp = op.name == "clamp";
    if (!is_tanh && ((op.name != "sigmoid" && !is_clamp) || i == last)) continue;
    if (is_clamp && !follows_layer(step.graph, op)) continue;
    const double share = share_at_limits(op);
    if (share <= (is_clamp ? nearly_all : most)) continue;
    return Anomaly{.name = "saturated_units",
                   .where = layer_before(step.graph, op),
                   .evidence = concat(short_form(100 * share, 2), " % of the outputs of ", op.name,
                                      " are at its limits before training"),
                   .cause = "initial weights or inputs that are too large: the gradient there is near 0",
                   .remedy = "use nn::Standardize::fit(train) and the default weights"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_dead_at_start(const RecordedStep& step) {
  constexpr Index min_rows = 16;
  constexpr double max_share = 0.8;
  for (const auto& op : step.graph.ops()) {
    if (op.name != "relu" || op.output.shape().rank() != 2 || op.output.shape()[0] < min_rows) continue;
    const Index rows = op.output.shape()[0], units = op.output.shape()[1];
    std::vector<char> alive(static_cast<std::size_t>(units), 0);
    const Scalar* y = op.output.data();
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < units; ++j, ++y)
        if (*y > 0) alive[static_cast<std::size_t>(j)] = 1;
    const auto dead = std::ranges::count(alive, char{0});
    if (static_cast<double>(dead) <= max_share * static_cast<double>(units)) continue;
    return Anomaly{.name = "dead_at_start",
                   .where = layer_before(step.graph, op),
                   .evidence = concat(dead, " of ", units, " units give 0 for all ", rows,
                                      " samples of the first batch, before training"),
                   .cause = "a bias far below 0, or inputs far from mean 0: such units get no gradient",
                   .remedy = "start biases at 0, and use nn::Standardize::fit(train)"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_size_of_outputs(const RecordedStep& step) {
  constexpr double max_gain = 30, min_gain = 0.01, min_softmax_gain = 0.1, min_input = 0.1, max_input = 5;
  const auto* last = output_layer(step);
  const Tensor inputs = first_layer_inputs(step.graph);
  if (!inputs.defined()) return std::nullopt;
  const double of_inputs = root_mean_square(inputs), max_within = max_gain * std::max(1.0, of_inputs);
  const double max_prediction =
      step.task == Task::regression ? std::max(max_within, max_gain * root_mean_square(step.targets)) : max_within;
  const bool usual = of_inputs >= min_input && of_inputs <= max_input;
  const auto* outputs = last_op(step);
  bool begun = false;  // whether the first layer has come; before it inputs are normalised
  for (const auto& op : step.graph.ops()) {
    if (outputs && &op > outputs) break;  // ops of the loss
    begun = begun || !op.layer.empty();
    if (!begun) continue;
    if (op.output.shape().rank() < 2) continue;
    const double out = root_mean_square(op.output);
    const double varies_in = deviation(op.inputs.front()), varies_out = deviation(op.output);
    const double max_output = last && &op > last ? max_prediction : max_within;
    const bool large = out > max_output;
    const bool small = usual && is_linear(op) && &op != last && varies_out < min_gain * varies_in &&
                       !begins_branch_at_zero(step.graph, op);
    if (op.name == "softmax" && &op != outputs && op.output.shape().cols() == 1)
      return Anomaly{
          .name = "inputs_ignored",
          .where = concat("softmax behind ", layer_before(step.graph, op)),
          .evidence = "it is over one element, which is then always 1",
          .cause = "a softmax, such as that of attention, over a dimension of size 1: what it reads has no effect",
          .remedy = "check its shape: it is over the last dimension"};
    if (op.name == "softmax" && &op != outputs && varies_out < min_softmax_gain * varies_in &&
        feeds_layer(step.graph, op))
      return Anomaly{.name = "vanishing_activations",
                     .where = concat("softmax behind ", layer_before(step.graph, op)),
                     .evidence = concat("before training its outputs differ by ", short_form(varies_out),
                                        " between samples, its inputs by ", short_form(varies_in)),
                     .cause = "a softmax between layers: its outputs add up to 1, so that each is nearly constant",
                     .remedy = "use an activation such as ReLU there"};
    if (!large && !small) continue;
    if (large && &op == last && varies_out <= max_output)
      return Anomaly{.name = "initial_loss",
                     .where = layer_before(step.graph, op),
                     .evidence = concat("its outputs begin at a root mean square of ", short_form(out),
                                        " and differ by ", short_form(varies_out), " between samples"),
                     .cause = "an output bias that is far from 0: the first loss is far above that of a guess",
                     .remedy = "start the bias at 0",
                     .details = "of a regression, it may start at the mean of the targets"};
    return Anomaly{.name = large ? "exploding_activations" : "vanishing_activations",
                   .where = layer_before(step.graph, op),
                   .evidence = large
                                   ? concat("before training its outputs have a root mean square of ", short_form(out))
                                   : concat("before training its outputs differ by ", short_form(varies_out),
                                            " between samples, its inputs by ", short_form(varies_in)),
                   .cause = large ? "initial weights that are too large, or a sum of many layers without a norm"
                                  : "initial weights that are too small: the signal fades",
                   .remedy = large ? "use the default weights, and a norm in each residual block"
                                   : "use the default weights, or nn::init"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_offset_of_predictions(const RecordedStep& step) {
  constexpr double max_deviations = 3;
  const Tensor predictions = predictions_of(step);
  if (step.task != Task::regression || !predictions.defined() || !step.targets.defined()) return std::nullopt;
  if (predictions.size() != step.targets.size() || predictions.shape().rank() != 2) return std::nullopt;
  const double spread = deviation(step.targets), varies = deviation(predictions);
  const double level = root_mean_square(predictions), target = root_mean_square(step.targets);
  const bool centred = target < 2 * spread;  // else the outputs begin far from where they have to go anyway
  if (!centred || !(level > max_deviations * spread) || !(level > max_deviations * varies)) return std::nullopt;
  return Anomaly{
      .name = "initial_loss",
      .where = "predictions",
      .evidence = concat("before training they have a root mean square of ", short_form(level), " and differ by ",
                         short_form(varies), " between samples; the targets by ", short_form(spread)),
      .cause = "biases that are far from 0: the first loss is far above that of always predicting the mean",
      .remedy = "start the biases at 0"};
}

std::optional<Anomaly> check_masked_class(const RecordedStep& step) {
  constexpr double far_below = 100, constant = 0.8;
  const Tensor predictions = predictions_of(step);
  if (step.task != Task::multiclass || !predictions.defined() || predictions.shape().rank() != 2) return std::nullopt;
  const auto classes = static_cast<std::size_t>(predictions.shape()[1]);
  const auto targets = step.targets.span(), outputs = predictions.span();
  for (std::size_t c = 0; c < classes; ++c) {
    double nearest = HUGE_VAL, farthest = 0;  // how far below the highest output of its row
    for (std::size_t i = 0; i < outputs.size(); i += classes) {
      const auto row = outputs.subspan(i, classes);
      const double gap = static_cast<double>(*std::ranges::max_element(row)) - static_cast<double>(row[c]);
      nearest = std::min(nearest, gap);
      farthest = std::max(farthest, gap);
    }
    if (!is_finite(farthest) || nearest < far_below || nearest < constant * farthest) continue;
    if (std::ranges::find(targets, static_cast<Scalar>(c)) == targets.end()) continue;
    return Anomaly{.name = "output_range",
                   .where = concat("output ", c),
                   .evidence = concat("in every row of the first batch it is at least ", short_form(nearest, 3),
                                      " below the highest output, and rows have class ", c),
                   .cause = "a mask or a constant that is added to the outputs: the class cannot be predicted",
                   .remedy = "remove it, or leave out the rows of the class"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_scale_of_predictions(const RecordedStep& step) {
  constexpr double min_gain = 0.05;
  const auto *last = last_op(step), *layer = output_layer(step);
  if (!last || !layer) return std::nullopt;
  const double predictions = deviation(last->output);
  const double targets = step.task == Task::regression ? deviation(step.targets) : 1;
  if (step.task == Task::regression && !(predictions < min_gain * targets)) return std::nullopt;
  for (const auto* op = last; op != layer; op = step.graph.previous(*op)) {
    if (is_activation(*op) || is_norm(*op) || op->inputs.front().size() != op->output.size()) continue;
    const double before = deviation(op->inputs.front()), after = deviation(op->output);
    if (!(after < min_gain * before * std::min(1.0, targets))) continue;
    return Anomaly{.name = "vanishing_activations",
                   .where = concat("op '", op->name, "' before the predictions"),
                   .evidence = concat("its outputs differ by ", short_form(after), " between samples, its inputs by ",
                                      short_form(before)),
                   .cause =
                       "predictions that are divided by a large number after the last layer, such as a "
                       "temperature: the model needs very large weights to predict anything",
                   .remedy = "remove the division"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_zero_gradient(const RecordedStep& step, std::span<const Parameter> parameters) {
  const auto* last = last_op(step);
  if (!last || std::ranges::any_of(last->inputs, is_all_zero)) return std::nullopt;
  const auto begins_branch = [&](const StepGraph::Op& op) { return begins_branch_at_zero(step.graph, op); };
  if (std::ranges::any_of(step.graph.ops(), begins_branch)) return std::nullopt;
  for (const Parameter& p : parameters) {
    const Tensor gradient = p.tensor.requires_grad() ? p.tensor.grad() : Tensor();
    if (p.role != Role::weight || !gradient.defined() || !is_all_zero(gradient)) continue;
    return Anomaly{.name = "zero_gradient",
                   .where = p.name,
                   .evidence = "its gradient is exactly 0 in the first step",
                   .cause =
                       "an operation without a slope after this layer, such as rounding or a comparison, or units "
                       "that are all dead",
                   .remedy = "use operations with a gradient between this layer and the loss"};
  }
  return std::nullopt;
}

}  // namespace handrail::train
