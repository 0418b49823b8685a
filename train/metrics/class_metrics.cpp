#include <handrail/train/metrics/class_metrics.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <handrail/core/error.h>
#include <handrail/train/metrics/internal/labels.h>

namespace handrail::train {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

double ratio(Index part, Index whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double f1(const ClassCounts::Count& c) { return ratio(2 * c.right, c.predicted + c.truth); }
double precision(const ClassCounts::Count& c) { return ratio(c.right, c.predicted); }
double recall(const ClassCounts::Count& c) { return ratio(c.right, c.truth); }

std::string with_average(const char* name, Average average) {
  switch (average) {
    case Average::binary_or_macro:
      break;
    case Average::macro:
      return concat(name, "_macro");
    case Average::micro:
      return concat(name, "_micro");
    case Average::weighted:
      return concat(name, "_weighted");
  }
  return name;
}

}  // namespace

void ClassCounts::add(const char* who, const Tensor& predictions, const Tensor& targets) {
  const LabelShape shape = label_shape(who, predictions, targets);
  if (classes_ != 0 && (shape.classes != classes_ || shape.columns != columns_))
    fail<ShapeError>(who, ": want ", classes_, " classes and ", columns_, " labels a row as before; got ",
                     shape.classes, " and ", shape.columns);
  classes_ = shape.classes;
  columns_ = shape.columns;
  labels_ = shape.task == Task::binary && columns_ > 1;
  counts_.resize(static_cast<std::size_t>(labels_ ? columns_ : classes_));
  for_each_label(who, shape, predictions, targets, [&](Index column, Index truth, Index predicted) {
    if (labels_) {
      Count& count = counts_[static_cast<std::size_t>(column)];
      count.truth += truth;
      count.predicted += predicted;
      count.right += truth * predicted;
    } else {
      ++counts_[static_cast<std::size_t>(truth)].truth;
      ++counts_[static_cast<std::size_t>(predicted)].predicted;
      counts_[static_cast<std::size_t>(truth)].right += truth == predicted;
    }
  });
}

double ClassCounts::average(Average average, double (*figure)(const Count&)) const {
  if (counts_.empty()) return undefined;
  if (average == Average::binary_or_macro && counts_.size() == 2 && !labels_) return figure(counts_[1]);
  Count all;
  double sum = 0, weights = 0;
  for (const Count& count : counts_) {
    all.right += count.right;
    all.predicted += count.predicted;
    all.truth += count.truth;
    const bool occurs = count.truth + count.predicted > 0;
    const double weight = average == Average::weighted ? static_cast<double>(count.truth) : occurs || labels_;
    sum += weight * figure(count);
    weights += weight;
  }
  if (average == Average::micro) return figure(all);
  return weights > 0 ? sum / weights : 0;
}

std::string F1::name() const { return with_average("f1", average); }
double F1::result() const { return counts.average(average, f1); }

std::string Precision::name() const { return with_average("precision", average); }
double Precision::result() const { return counts.average(average, precision); }

std::string Recall::name() const { return with_average("recall", average); }
double Recall::result() const { return counts.average(average, recall); }

void Auc::add(const Tensor& predictions, const Tensor& targets) {
  const LabelShape shape = label_shape("auc", predictions, targets);
  if (shape.columns != 1 || shape.classes != 2)
    fail<ShapeError>("auc: want two classes: logits and targets [N], or logits [N, 2] and classes [N]; got ",
                     predictions.shape(), " and ", targets.shape());
  const Scalar* p = predictions.data();
  const bool pairs = shape.task == Task::multiclass;
  for_each_label("auc", shape, predictions, targets, [&](Index, Index truth, Index) {
    const double score = pairs ? static_cast<double>(p[1]) - static_cast<double>(p[0]) : static_cast<double>(p[0]);
    p += pairs ? 2 : 1;
    scores.emplace_back(score, truth == 1);
  });
}

// The statistic U of Mann and Whitney over the number of pairs. It is counted in halves, because equal scores count
// half.
double Auc::result() const {
  if (std::ranges::any_of(scores, [](const auto& s) { return std::isnan(s.first); })) return undefined;
  auto sorted = scores;
  std::ranges::sort(sorted);
  std::int64_t halves = 0, below = 0, positives = 0;
  for (auto first = sorted.begin(); first != sorted.end();) {
    const auto last = std::find_if(first, sorted.end(), [&](const auto& s) { return s.first != first->first; });
    const auto right = std::count_if(first, last, [](const auto& s) { return s.second; });
    const auto wrong = last - first - right;
    halves += right * (2 * below + wrong);
    below += wrong;
    positives += right;
    first = last;
  }
  if (positives == 0 || below == 0) return undefined;
  return static_cast<double>(halves) / (2 * static_cast<double>(positives) * static_cast<double>(below));
}

}  // namespace handrail::train
