#include <handrail/train/checks/internal/model/loss_checks.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

bool are_shares(const Tensor& x) {
  return std::ranges::all_of(x.span(), [](Scalar p) { return p >= 0 && p <= 1; });
}

// Whether the rows are probabilities of several classes.
bool are_distributions(const Tensor& x) {
  const Index cols = x.shape().cols();
  if (cols < 2 || !are_shares(x)) return false;
  const Scalar* row = x.data();
  for (Index i = 0; i < x.size() / cols; ++i, row += cols) {
    double sum = 0;
    for (Index j = 0; j < cols; ++j) sum += static_cast<double>(row[j]);
    if (std::abs(sum - 1) > 1e-3) return false;
  }
  return true;
}

double value_of(const Tensor& scalar) { return static_cast<double>(scalar.item()); }

// How many times its loss op the loss is, when it was made from it by multiplication with a number.
std::optional<double> factor_of_loss(const RecordedStep& step) {
  const auto* loss = loss_op(step.graph);
  const auto number = step.graph.maker(step.loss);
  if (!loss || !number) return std::nullopt;
  const auto* op = &step.graph.ops()[*number];
  while (op && op != loss && (op->name == "affine" || op->name == "mul" || op->name == "div"))
    op = step.graph.previous(*op);
  if (op != loss || value_of(loss->output) == 0) return std::nullopt;
  return std::abs(value_of(step.loss) / value_of(loss->output));
}

bool is_count_of_samples(double factor, const RecordedStep& step) {
  constexpr double tolerance = 0.01;
  return std::abs(factor / static_cast<double>(step.inputs.shape()[0]) - 1) < tolerance;
}

}  // namespace

std::optional<Anomaly> check_loss_input(const RecordedStep& step) {
  const auto* loss = loss_op(step.graph);
  if (!loss) return std::nullopt;
  const bool softmax_inside = loss->name == "cross_entropy";
  if (!softmax_inside && loss->name != "binary_cross_entropy_with_logits") return std::nullopt;
  const auto* maker = step.graph.previous(*loss);
  if (!maker || is_linear(*maker) || maker->name == "log_softmax") return std::nullopt;
  const bool named = is_activation(*maker) || maker->name == "clamp";
  const Tensor& input = loss->inputs.front();
  if (!named && !(softmax_inside ? are_distributions(input) : are_shares(input))) return std::nullopt;
  const std::string what = named ? concat("the output of ", maker->name) : "probabilities";
  return Anomaly{.name = "activation_before_loss",
                 .where = concat("op '", maker->name, "'"),
                 .evidence = concat(loss->name, " gets ", what, ", not logits"),
                 .cause = concat(loss->name, " applies ", softmax_inside ? "softmax" : "sigmoid",
                                 " itself: another activation before it leaves hardly any gradient"),
                 .remedy = concat("apply ", named ? std::string(maker->name) : "what makes probabilities",
                                  " to predictions only")};
}

std::optional<Anomaly> check_logarithm(const RecordedStep& step) {
  constexpr Scalar smallest_safe = 1e-10F;
  for (const auto& op : step.graph.ops()) {
    const auto* maker = op.name == "log" ? step.graph.previous(op) : nullptr;
    if (!maker || (maker->name != "softmax" && maker->name != "sigmoid") || op.output.size() == 0) continue;
    const Scalar smallest = *std::ranges::min_element(op.inputs.front().span());
    if (smallest >= smallest_safe) continue;
    return Anomaly{.name = "non_finite",
                   .where = concat("op 'log' of ", maker->name),
                   .evidence = concat("it gets ", short_form(static_cast<double>(smallest)),
                                      " in the first batch; of 0 it makes infinity"),
                   .cause = "a logarithm of probabilities, which are rounded to 0 when logits are far apart",
                   .remedy = maker->name == "softmax" ? "cross_entropy of the logits, or log_softmax"
                                                      : "binary_cross_entropy_with_logits of the logits"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_output_range(const RecordedStep& step) {
  const auto* last = last_op(step);
  if (step.task != Task::regression || !last || !step.targets.defined() || step.targets.size() == 0)
    return std::nullopt;
  double low = -HUGE_VAL, high = HUGE_VAL;
  if (last->name == "relu" || last->name == "softplus") low = 0;
  if (last->name == "sigmoid" || last->name == "softmax") low = 0, high = 1;
  if (last->name == "tanh") low = -1, high = 1;
  const auto [smallest, largest] = std::ranges::minmax(step.targets.span());
  if (static_cast<double>(smallest) >= low && static_cast<double>(largest) <= high) return std::nullopt;
  return Anomaly{.name = "output_range",
                 .where = concat("op '", last->name, "' at the output"),
                 .evidence = concat("it gives values ", high == 1 ? concat("from ", low, " to 1") : "of 0 and above",
                                    "; the targets of the first batch go from ", short_form(smallest), " to ",
                                    short_form(largest)),
                 .cause = "an activation after the last layer that cannot reach the targets",
                 .remedy = concat("remove ", last->name, " after the last layer")};
}

std::optional<Anomaly> check_broadcast(const RecordedStep& step) {
  const Index n = step.inputs.shape()[0];
  if (n < 2) return std::nullopt;
  for (const auto& op : step.graph.ops()) {
    if (op.inputs.size() != 2 || op.output.shape() != Shape{n, n}) continue;
    const Shape &a = op.inputs[0].shape(), &b = op.inputs[1].shape(), column{n, 1}, flat{n};
    if (!(a == column && b == flat) && !(a == flat && b == column)) continue;
    return Anomaly{
        .name = "broadcast_loss",
        .where = concat("op '", op.name, "'"),
        .evidence = concat("shapes ", a, " and ", b, " were stretched to ", op.output.shape()),
        .cause = "predictions and targets of different shapes: every prediction is compared with every target",
        .remedy = "reshape one of them, so that both are [N, 1]"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_loss_sign(const RecordedStep& step) {
  const auto* loss = loss_op(step.graph);
  if (!loss || !(value_of(step.loss) < 0) || step.loss.is_same(loss->output)) return std::nullopt;
  return Anomaly{.name = "loss_sign",
                 .where = concat("op '", loss->name, "'"),
                 .evidence = concat("the loss is ", short_form(value_of(step.loss)), ", and ", loss->name, " gave ",
                                    short_form(value_of(loss->output))),
                 .cause = "a minus sign: training maximises this loss",
                 .remedy = "return the loss without the minus sign"};
}

std::optional<Anomaly> check_summed_loss(const RecordedStep& step) {
  constexpr Index min_samples = 4;
  const auto factor = factor_of_loss(step);
  if (!factor || step.inputs.shape()[0] < min_samples || !is_count_of_samples(*factor, step)) return std::nullopt;
  return Anomaly{.name = "sum_loss",
                 .where = concat("op '", loss_op(step.graph)->name, "'"),
                 .evidence = concat("the loss is its mean over the samples times ", step.inputs.shape()[0],
                                    ", the number of samples"),
                 .cause = "a loss that is a sum over the samples: gradients grow with the batch size",
                 .remedy = "return the mean over the samples"};
}

std::optional<Anomaly> check_loss_scale(const RecordedStep& step) {
  constexpr double max_ratio = 100;
  const auto factor = factor_of_loss(step);
  if (!factor || is_count_of_samples(*factor, step)) return std::nullopt;
  const double ratio = *factor;
  if (!(ratio > max_ratio || ratio < 1 / max_ratio)) return std::nullopt;
  const auto* loss = loss_op(step.graph);
  return Anomaly{.name = "loss_scale",
                 .where = concat("op '", loss->name, "'"),
                 .evidence = concat("the loss is ", short_form(value_of(step.loss)), ", which is ", short_form(ratio),
                                    " times the mean over the samples"),
                 .cause = "a factor on the loss: clipping and the optimizer's eps suppose the mean over the samples",
                 .remedy = "remove the factor: return the mean over the samples"};
}

std::optional<Anomaly> check_regularisation(const RecordedStep& step) {
  constexpr double max_ratio = 2;
  const auto first = step.graph.maker(step.loss);
  if (!first) return std::nullopt;
  const auto ops = step.graph.ops();
  double fixed = 0, of_data = 0;
  std::vector<Tensor> left{step.loss};
  while (!left.empty()) {
    const Tensor part = left.back();
    left.pop_back();
    const auto number = step.graph.maker(part);
    const auto* op = number ? &ops[*number] : nullptr;
    if (op && op->name == "add" && op->output.size() == 1) {
      left.insert(left.end(), op->inputs.begin(), op->inputs.end());
      continue;
    }
    if (part.size() != 1) return std::nullopt;
    const bool depends =
        op &&
        (step.graph.depends_on(*number, step.inputs) || step.graph.depends_on(*number, step.targets) ||
         (step.predictions.defined() && step.graph.depends_on(*number, step.predictions)) || loss_op(step.graph) == op);
    (depends ? of_data : fixed) += std::abs(value_of(part));
  }
  if (!(fixed > max_ratio * of_data) || of_data == 0) return std::nullopt;
  return Anomaly{.name = "regularisation_dominates",
                 .where = "loss",
                 .evidence = concat(short_form(fixed), " of the loss do not depend on the batch, only ",
                                    short_form(of_data), " do"),
                 .cause = "a penalty on the weights that outweighs the loss of the data",
                 .remedy = "multiply the penalty by a smaller number, or use weight_decay instead"};
}

}  // namespace handrail::train
