#include <handrail/train/checks/internal/outcome/flipped_labels.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr Index max_flip_classes = 100;

// Logits of two classes or more; a single logit is that of class 1, and that of class 0 is 0.
class Logits {
 public:
  Logits(const Tensor& predictions, Index rows) : values_(predictions), width_(predictions.size() / rows) {}
  Index classes() const { return std::max<Index>(2, width_); }
  double at(Index row, Index c) const {
    if (width_ == 1) return c == 1 ? static_cast<double>(values_.data()[row]) : 0.0;
    return static_cast<double>(values_.data()[row * width_ + c]);
  }
  Index predicted(Index row) const {
    Index best = 0;
    for (Index c = 1; c < classes(); ++c)
      if (at(row, c) > at(row, best)) best = c;
    return best;
  }

 private:
  Tensor values_;
  Index width_;
};

struct Sure {
  Index row;
  double margin;  // the logit of a - that of b
};
// The rows that are predicted as class a, by their labels.
struct Split {
  std::vector<Sure> right, wrong;
  double share() const {
    return static_cast<double>(wrong.size()) /
           static_cast<double>(std::max<std::size_t>(1, right.size() + wrong.size()));
  }
};
Split split(const Logits& logits, std::span<const Scalar> labels, std::span<const Index> predicted, Index a, Index b) {
  Split result;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = static_cast<Index>(i), label = static_cast<Index>(labels[i]);
    if (predicted[i] != a || (label != a && label != b)) continue;
    (label == a ? result.right : result.wrong).push_back({row, logits.at(row, a) - logits.at(row, b)});
  }
  return result;
}

bool is_flipped(const Split& of_a, double share_the_other_way) {
  constexpr std::size_t min_wrong = 12;
  constexpr double min_share = 0.25, max_share = 0.48, max_chance = 0.6, natural = 0.75, one_sided_95 = 1.645;
  const double share = of_a.share();
  if (of_a.wrong.size() < min_wrong || share < min_share || share > max_share || 3 * share_the_other_way > share)
    return false;
  const auto m = static_cast<double>(of_a.wrong.size()), n = static_cast<double>(of_a.right.size());
  double chance = 0;
  for (const Sure& wrong : of_a.wrong)
    chance += static_cast<double>(
                  std::ranges::count_if(of_a.right, [&](const Sure& right) { return right.margin > wrong.margin; })) /
              (m * n);
  return chance < max_chance && chance + one_sided_95 * std::sqrt((1 / m + 1 / n) / 12) < natural;
}

}  // namespace

std::optional<Anomaly> diagnose_flips(const Tensor& predictions, const Tensor& targets, std::span<const Index> rows) {
  constexpr std::size_t max_named_rows = 5;
  const Index n = targets.size();
  if (n == 0 || predictions.size() % n != 0 || first_non_finite(predictions.span()) >= 0) return std::nullopt;
  const Logits logits(predictions, n);
  const Index classes = logits.classes();
  const auto is_class = [classes](Scalar t) {
    return t >= 0 && t < static_cast<Scalar>(classes) && t == std::floor(t);
  };
  if (classes > max_flip_classes || !std::ranges::all_of(targets.span(), is_class)) return std::nullopt;
  std::vector<Index> predicted;
  for (Index i = 0; i < n; ++i) predicted.push_back(logits.predicted(i));
  for (Index a = 0; a < classes; ++a)
    for (Index b = 0; b < classes; ++b) {
      if (a == b) continue;
      Split found = split(logits, targets.span(), predicted, a, b);
      if (!is_flipped(found, split(logits, targets.span(), predicted, b, a).share())) continue;
      std::ranges::sort(found.wrong, std::ranges::greater{}, &Sure::margin);
      std::string named;
      for (std::size_t k = 0; k < std::min(max_named_rows, found.wrong.size()); ++k) {
        const Index row = found.wrong[k].row;
        named += (k == 0 ? "" : ", ") + std::to_string(rows.empty() ? row : rows[static_cast<std::size_t>(row)]);
      }
      return Anomaly{
          .name = "label_noise",
          .where = concat("rows ", named, " of the validation set"),
          .evidence = concat(short_form(100 * found.share(), 2), " % of what looks like class ", a, " has the label ",
                             b, ", and the model cannot tell which"),
          .cause = concat("labels of class ", a, " that say ", b, ", or inputs that cannot tell the two apart"),
          .remedy = "check the labels of these rows",
          .rank = Rank::labels,
          .severity = Severity::note};
    }
  return std::nullopt;
}

}  // namespace handrail::train
