#include <handrail/train/metrics/confusion.h>

#include <algorithm>
#include <iomanip>
#include <numeric>

#include <handrail/core/error.h>
#include <handrail/train/metrics/internal/labels.h>

namespace handrail::train {

void Confusion::add(const Tensor& predictions, const Tensor& targets) {
  const LabelShape shape = label_shape("Confusion", predictions, targets);
  if (shape.columns != 1)
    fail<ShapeError>("Confusion: want one label a row; got predictions ", predictions.shape(), ", targets ",
                     targets.shape());
  if (classes_ != 0 && shape.classes != classes_)
    fail<ShapeError>("Confusion: want ", classes_, " classes as before; got ", shape.classes);
  if (classes_ == 0) *this = Confusion(shape.classes);
  for_each_label("Confusion", shape, predictions, targets,
                 [&](Index, Index truth, Index predicted) { add(truth, predicted); });
}

void Confusion::refuse(Index truth, Index predicted) const {
  fail<OptionError>("Confusion: want classes in [0, ", classes_, "); got ", truth, " and ", predicted);
}

double Confusion::accuracy() const {
  Index right = 0;
  for (Index c = 0; c < classes_; ++c) right += count(c, c);
  return static_cast<double>(right) / static_cast<double>(std::accumulate(counts_.begin(), counts_.end(), Index{0}));
}

std::string Confusion::text(const std::vector<std::string>& names) const {
  const auto name_of = [&](Index c) {
    return std::ssize(names) == classes_ ? printable(names[static_cast<std::size_t>(c)], LineEnds::escape)
                                         : std::to_string(c);
  };
  std::size_t longest = std::to_string(counts_.empty() ? 0 : *std::ranges::max_element(counts_)).size();
  for (Index c = 0; c < classes_; ++c) longest = std::max(longest, name_of(c).size());
  const auto width = static_cast<int>(longest) + 2;
  TextStream out;
  out << "true \\ predicted\n" << std::setw(width) << ' ';
  for (Index c = 0; c < classes_; ++c) out << std::setw(width) << name_of(c);
  out << '\n';
  for (Index truth = 0; truth < classes_; ++truth) {
    out << std::setw(width) << name_of(truth);
    for (Index predicted = 0; predicted < classes_; ++predicted) out << std::setw(width) << count(truth, predicted);
    out << '\n';
  }
  return std::move(out).str();
}

}  // namespace handrail::train
