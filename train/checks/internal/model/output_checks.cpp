#include <handrail/train/checks/internal/model/output_checks.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// Where the loss pulls the rows of a class that are predicted wrong.
struct Pull {
  Index rows = 0, without = 0, away = 0;  // without: those that have no gradient
  double strength = 0;                    // the sum of the largest gradients of the rows
};

struct Pulls {
  std::map<Index, Pull> of_class = {};
  Index rows = 0, without = 0, away = 0;

  void add(Index label, double strength, bool is_away) {
    const bool has_gradient = strength > 0;
    Pull& pull = of_class[label];
    pull.strength += strength;
    for (Index* count : {&pull.rows, &rows}) *count += 1;
    for (Index* count : {&pull.without, &without}) *count += !has_gradient;
    for (Index* count : {&pull.away, &away}) *count += has_gradient && is_away;
  }
};

std::optional<Pulls> pulls_of_classes(const Tensor& predictions, const Tensor& gradient, const Tensor& targets) {
  const Index rows = targets.size(), classes = predictions.size() / std::max<Index>(rows, 1);
  if (classes < 2 || predictions.size() != rows * classes) return std::nullopt;
  Pulls pulls;
  for (Index i = 0; i < rows; ++i) {
    const Scalar *y = predictions.data() + i * classes, *g = gradient.data() + i * classes;
    const auto label = static_cast<Index>(targets.data()[i]);
    if (label < 0 || label >= classes) return std::nullopt;
    if (std::max_element(y, y + classes) - y == label) continue;
    const auto largest = std::max_element(g, g + classes, [](Scalar a, Scalar b) { return std::abs(a) < std::abs(b); });
    pulls.add(label, std::abs(static_cast<double>(*largest)), g[label] > 0);
  }
  return pulls;
}

std::optional<Pulls> pulls_of_binary(const Tensor& predictions, const Tensor& gradient, const Tensor& targets) {
  if (predictions.size() != targets.size()) return std::nullopt;
  Pulls pulls;
  for (Index i = 0; i < targets.size(); ++i) {
    const Scalar y = predictions.data()[i], g = gradient.data()[i], t = targets.data()[i];
    if (t != 0 && t != 1) return std::nullopt;
    if ((y > 0) != (t > 0)) pulls.add(static_cast<Index>(t), std::abs(static_cast<double>(g)), (g > 0) == (t > 0));
  }
  return pulls;
}

// Nothing for a gradient that is not of these predictions or not finite, and for targets that are no labels.
std::optional<Pulls> pulls_of(const Tensor& predictions, const Tensor& gradient, const Tensor& targets, Task task) {
  if (!predictions.defined() || !gradient.defined() || gradient.size() != predictions.size()) return std::nullopt;
  if (!targets.defined() || first_non_finite(gradient.span()) >= 0) return std::nullopt;
  return task == Task::multiclass ? pulls_of_classes(predictions, gradient, targets)
                                  : pulls_of_binary(predictions, gradient, targets);
}

double largest_of(const Tensor& x) {
  double largest = 0;
  for (const Scalar v : x.span()) largest = std::max(largest, std::abs(static_cast<double>(v)));
  return largest;
}

// How far predictions come, of all samples together.
struct Reach {
  double lowest = HUGE_VAL, highest = -HUGE_VAL;
  // In the direction of `sign`, with its sign changed for the lowest one.
  double in(double sign) const { return sign < 0 ? -lowest : highest; }
};

// Adds a number to all elements, until its end.
class Shift {
 public:
  Shift(const Tensor& x, double by) : x_(x), before_(x.clone()) {
    for (Scalar& v : x_.mutable_span()) v += static_cast<Scalar>(by);
  }
  ~Shift() { std::ranges::copy(before_.span(), x_.mutable_data()); }
  Shift(const Shift&) = delete;
  Shift& operator=(const Shift&) = delete;

 private:
  Tensor x_, before_;
};

// The reach while a bias is moved up and down by a distance and by smaller ones.
Reach reach_of(const std::function<Tensor()>& predict, const Tensor& bias, double distance) {
  Reach reach;
  for (const double part : {-1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0}) {
    const Shift shift(bias, part * distance);
    const Tensor predictions = predict();
    for (const Scalar y : predictions.span()) {  // what is not a number may be anything
      reach.lowest = std::min(reach.lowest, std::isnan(y) ? -HUGE_VAL : static_cast<double>(y));
      reach.highest = std::max(reach.highest, std::isnan(y) ? HUGE_VAL : static_cast<double>(y));
    }
  }
  return reach;
}

}  // namespace

Tensor wrong_predictions(const Shape& shape, const Tensor& targets, Task task) {
  const auto is_label = [](Scalar t) { return t == 0 || t == 1; };
  if (shape.rank() == 0 || (task == Task::regression && !std::ranges::all_of(targets.span(), is_label))) return {};
  Tensor wrong = Tensor::zeros(shape);
  const Index rows = targets.size(), classes = task == Task::multiclass ? shape.cols() : 1;
  if (wrong.size() != rows * classes) return {};
  for (Index i = 0; i < rows; ++i) {
    const Scalar target = targets.data()[i];
    const auto label = static_cast<Index>(target);
    if (classes == 1)
      wrong.mutable_data()[i] = target > 0 ? -1 : 1;
    else if (label >= 0 && label < classes)
      wrong.mutable_data()[i * classes + label] = -1;
  }
  return wrong;
}

std::optional<Anomaly> check_pull(const Tensor& predictions, const Tensor& gradient, const Tensor& targets, Task task) {
  constexpr Index min_ignored = 2, min_away = 8, min_rows = 16;
  constexpr double nearly_all = 0.9;
  const auto pulls = pulls_of(predictions, gradient, targets, task);
  if (!pulls) return std::nullopt;
  if (pulls->rows >= min_rows && static_cast<double>(pulls->away) > nearly_all * static_cast<double>(pulls->rows))
    return Anomaly{
        .name = "loss_sign",
        .where = "loss",
        .evidence = concat("it moves ", pulls->away, " of ", pulls->rows, " wrong predictions away from their targets"),
        .cause = "a loss with the wrong sign, or one that exchanges targets and predictions",
        .remedy = "change the sign of the loss"};
  for (const auto& [label, pull] : pulls->of_class) {
    if (pull.rows >= min_ignored && pull.without == pull.rows && pulls->without < pulls->rows)
      return Anomaly{.name = "rows_ignored",
                     .where = concat("rows of class ", label),
                     .evidence = concat("none of the ", pull.rows, " that are predicted wrong has a gradient"),
                     .cause =
                         "a loss that leaves out this class, such as one that takes its number for padding, or that "
                         "wants other labels: a hinge loss wants -1 and 1",
                     .remedy = "give all rows a part in the loss"};
    if (pull.rows >= min_away && pull.away == pull.rows)
      return Anomaly{.name = "loss_mismatch",
                     .where = concat("rows of class ", label),
                     .evidence = concat("the loss moves all ", pull.rows, " wrong predictions away from their targets"),
                     .cause = "a loss that wants other labels, or a wrong sign in the part for this class",
                     .remedy = "use a loss for these labels"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_weighs_classes(const Tensor& predictions, const Tensor& gradient, const Tensor& targets,
                                            Task task) {
  constexpr Index min_rows = 8;
  constexpr double max_ratio = 30, max_rarity = 5;
  const auto pulls = pulls_of(predictions, gradient, targets, task);
  if (!pulls || pulls->of_class.size() < 2) return std::nullopt;
  const auto strength = [](const auto& a, const auto& b) { return a.second.strength < b.second.strength; };
  const auto& [weak, least] = *std::ranges::min_element(pulls->of_class, strength);
  const auto& [strong, most] = *std::ranges::max_element(pulls->of_class, strength);
  if (least.rows < min_rows || max_rarity * static_cast<double>(least.rows) < static_cast<double>(most.rows) ||
      !(most.strength > max_ratio * least.strength) || least.without == least.rows)
    return std::nullopt;
  return Anomaly{.name = "rows_ignored",
                 .where = concat("rows of class ", weak),
                 .evidence = concat(least.rows, " of them count ", short_form(100 * least.strength / most.strength, 2),
                                    " % as much as ", most.rows, " of class ", strong),
                 .cause = "weights of the classes that are wrong, or in another order than the classes",
                 .remedy = "check which weight belongs to which class"};
}

std::optional<Anomaly> check_weighs_rows_alike(const GradientOf& gradient_of, const Tensor& targets) {
  constexpr Index min_elements = 32;
  constexpr double max_ratio = 100, near_zero = 0.05, no_gradient = 1e-3;
  const auto t = targets.span();
  const double spread = deviation(targets);
  if (targets.size() < min_elements || !(spread > 0) || !is_finite(spread)) return std::nullopt;
  if (std::ranges::none_of(t, [](Scalar v) { return v < 0; }) ||
      std::ranges::none_of(t, [](Scalar v) { return v > 0; }))
    return std::nullopt;
  const Tensor missed = targets.clone();
  for (Scalar& y : missed.mutable_span()) y += static_cast<Scalar>(spread);
  const Tensor when_missed = gradient_of(missed, targets), when_right = gradient_of(targets.clone(), targets);
  if (!when_missed.defined() || !when_right.defined() || when_missed.size() != targets.size()) return std::nullopt;
  if (first_non_finite(when_missed.span()) >= 0 || first_non_finite(when_right.span()) >= 0) return std::nullopt;
  const double largest = largest_of(when_missed);
  if (largest_of(when_right) > no_gradient * largest) return std::nullopt;
  std::vector<std::pair<double, Index>> weights;
  for (Index i = 0; i < targets.size(); ++i)
    weights.emplace_back(std::abs(static_cast<double>(when_missed.data()[i])), i);
  std::ranges::sort(weights);
  const double median = weights[weights.size() / 2].first;
  const auto target = static_cast<double>(t[static_cast<std::size_t>(weights.back().second)]);
  if (!(median > 0) || largest < max_ratio * median || std::abs(target) >= near_zero * spread) return std::nullopt;
  return Anomaly{
      .name = "loss_mismatch",
      .where = "rows with targets near 0",
      .evidence = concat("an error there counts ", short_form(largest / median), " times as much as in the median row"),
      .cause = "an error relative to the target, where targets have both signs and may be 0: a few rows are the loss",
      .remedy = "use mse_loss or huber_loss",
      .details = concat("largest in a row with the target ", short_form(target))};
}

std::optional<Anomaly> check_wants_targets(const GradientOf& gradient_of, const Tensor& targets) {
  constexpr Index min_elements = 32;
  constexpr double no_gradient = 1e-2, min_ratio = 5;
  const double spread = deviation(targets);
  if (targets.size() < min_elements || !(spread > 0) || !is_finite(spread)) return std::nullopt;
  const auto largest_at = [&](double factor, double offset, double noise) -> std::optional<double> {
    const Tensor y = targets.clone();
    double sign = 1;
    for (Scalar& v : y.mutable_span()) {
      v = static_cast<Scalar>(factor * static_cast<double>(v) + offset + sign * noise);
      sign = -sign;
    }
    const Tensor gradient = gradient_of(y, targets);
    if (!gradient.defined() || gradient.size() != targets.size() || first_non_finite(gradient.span()) >= 0)
      return std::nullopt;
    return largest_of(gradient);
  };
  const auto right = largest_at(1, 0, 0), noisy = largest_at(1, 0, spread);
  const auto near = largest_at(1.2, 0.3 * spread, 0), far = largest_at(3, 2 * spread, 0);
  const auto above = largest_at(1, spread, 0), below = largest_at(1, -spread, 0);
  if (!right || !noisy || !near || !far || !above || !below || *right > no_gradient * *noisy) return std::nullopt;
  if (std::max(*near, *far) <= no_gradient * *noisy)
    return Anomaly{.name = "loss_mismatch",
                   .where = "loss",
                   .evidence = "no gradient for predictions that are three times the targets, and shifted",
                   .cause =
                       "a loss that no scale and no offset changes, such as a correlation: the predictions come out in "
                       "any unit",
                   .remedy = "use mse_loss or huber_loss, or add one"};
  const double ratio = std::max(*above, *below) / std::min(*above, *below);
  if (!(ratio >= min_ratio) || !is_finite(ratio)) return std::nullopt;
  return Anomaly{
      .name = "loss_mismatch",
      .where = "loss",
      .evidence = concat("an error ", *above > *below ? "above" : "below", " the target counts ", short_form(ratio, 3),
                         " times as much as one ", *above > *below ? "below" : "above", " it"),
      .cause = "a loss for a quantile or a bound: the predictions are not the middle of the targets",
      .remedy = "use mse_loss where the middle is wanted",
      .severity = Severity::note};
}

std::optional<Anomaly> check_bounded(const LossOfPredictions& loss, const Shape& predictions) {
  constexpr double distance = 1e3, min_fall = 10;
  for (const double sign : {-1.0, 1.0}) {
    const double near = loss(Tensor::full(predictions, static_cast<Scalar>(sign * distance))),
                 far = loss(Tensor::full(predictions, static_cast<Scalar>(sign * 10 * distance)));
    const bool is_straight = near < 0 && far < 5 * near && far > 20 * near;  // a square has the wrong sign
    if (!is_finite(near) || !is_finite(far) || !is_straight || far > -min_fall) continue;
    return Anomaly{
        .name = "loss_mismatch",
        .where = "loss",
        .evidence = concat("predictions of ", short_form(sign * distance), " have a loss of ", short_form(near, 3),
                           ", and of ", short_form(10 * sign * distance), " one of ", short_form(far, 3)),
        .cause =
            "a loss that falls without bound: its arguments are exchanged, or it wants other targets, "
            "such as counts or 0 and 1",
        .remedy = "look up which argument comes first, and which targets the loss is for"};
  }
  return std::nullopt;
}

Tensor output_bias(const RecordedStep& step) {
  const auto *layer = output_layer(step), *last = last_op(step);
  if (!layer || layer->name != "linear" || layer->inputs.size() < 3) return {};
  for (const auto* op = last; op && op != layer; op = step.graph.previous(*op))
    if (is_norm(*op)) return {};
  return layer->inputs.back();
}

std::optional<Anomaly> check_reach_of_outputs(const RecordedStep& step, const Tensor& bias,
                                              const std::function<Tensor()>& predict) {
  constexpr double far = 100, min_share = 0.05, tolerance = 0.01;
  const Tensor predictions = predictions_of(step);
  if (step.task != Task::regression || !predictions.defined() || !step.targets.defined()) return std::nullopt;
  if (step.targets.size() == 0 || first_non_finite(step.targets.span()) >= 0) return std::nullopt;
  const auto [smallest, largest] = std::ranges::minmax(step.targets.span());
  const double spread = static_cast<double>(largest) - static_cast<double>(smallest);
  const double unit = std::max({spread, largest_of(step.targets), largest_of(predictions)});
  if (!(spread > 0) || !is_finite(unit)) return std::nullopt;
  const Reach reach = reach_of(predict, bias, far * unit), beyond = reach_of(predict, bias, 10 * far * unit);
  for (const double sign : {-1.0, 1.0}) {
    const double bound = reach.in(sign);
    if (!is_finite(bound) || beyond.in(sign) > bound + tolerance * spread) continue;
    Index outside = 0;
    for (const Scalar t : step.targets.span()) outside += sign * static_cast<double>(t) > bound + tolerance * spread;
    if (static_cast<double>(outside) < min_share * static_cast<double>(step.targets.size())) continue;
    const auto* last = last_op(step);
    return Anomaly{.name = "output_range",
                   .where = last ? concat("op '", last->name, "' at the output") : "outputs",
                   .evidence = concat("no output comes ", sign < 0 ? "below " : "above ", short_form(sign * bound),
                                      "; the targets go from ", short_form(smallest), " to ", short_form(largest)),
                   .cause = "an operation after the last layer that cannot reach the targets",
                   .remedy = "remove it",
                   .details = "of the first batch, however far the output bias is moved"};
  }
  return std::nullopt;
}

std::optional<Anomaly> check_same_scale(const Tensor& training, const Tensor& evaluation) {
  constexpr double max_ratio = 1.5;
  if (!training.defined() || !evaluation.defined() || training.shape() != evaluation.shape()) return std::nullopt;
  if (first_non_finite(training.span()) >= 0 || first_non_finite(evaluation.span()) >= 0) return std::nullopt;
  double products = 0, squares = 0, zeros = 0;
  for (Index i = 0; i < training.size(); ++i) {
    const auto in_training = static_cast<double>(training.data()[i]), e = static_cast<double>(evaluation.data()[i]);
    zeros += in_training == 0 && e != 0;
    products += in_training * e;
    squares += e * e;
  }
  if (!(squares > 0)) return std::nullopt;
  const double slope = products / squares, ratio = root_mean_square(training) / root_mean_square(evaluation);
  const bool masked = zeros > 0.05 * static_cast<double>(training.size());
  const auto is_large = [](double x) { return x > max_ratio; };
  const auto is_small = [](double x) { return x < 1 / max_ratio; };
  if (!(is_large(slope) && is_large(ratio)) && !(is_small(slope) && is_small(ratio))) return std::nullopt;
  return Anomaly{.name = "train_eval_gap",
                 .where = "inputs of the first layer",
                 .evidence = concat("in training they are ", short_form(slope), " times as large as in evaluation"),
                 .cause = masked ? "a mask in training_step that does not make up for what it takes"
                                 : "a scaling of the inputs in training_step or in predict_step only",
                 .remedy = masked ? "divide it by the share kept" : "scale them in both, or in neither",
                 .details = masked ? "of the same batch; a part of them is 0 in training only" : "of the same batch"};
}

}  // namespace handrail::train
