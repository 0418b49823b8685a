#include <handrail/train/confusion.h>

#include <algorithm>
#include <iomanip>
#include <numeric>
#include <sstream>

#include <handrail/core/error.h>
#include <handrail/train/labels.h>

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

std::string Confusion::text() const {
  const Index largest = counts_.empty() ? 0 : std::max(*std::ranges::max_element(counts_), classes_ - 1);
  const auto width = static_cast<int>(std::to_string(largest).size()) + 2;
  std::ostringstream out;
  out << "true \\ predicted\n" << std::setw(width) << ' ';
  for (Index c = 0; c < classes_; ++c) out << std::setw(width) << c;
  out << '\n';
  for (Index truth = 0; truth < classes_; ++truth) {
    out << std::setw(width) << truth;
    for (Index predicted = 0; predicted < classes_; ++predicted) out << std::setw(width) << count(truth, predicted);
    out << '\n';
  }
  return std::move(out).str();
}

}  // namespace handrail::train
