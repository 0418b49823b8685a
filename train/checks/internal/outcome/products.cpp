#include <handrail/train/checks/internal/outcome/products.h>

#include <algorithm>
#include <cmath>

namespace handrail::train {

Products::Products(const Tensor& inputs) {
  const Index rows = inputs.shape()[0], width = inputs.size() / rows;
  for (Index j = 0; j < width; ++j) {
    double sum = 0, squares = 0;
    for (Index i = 0; i < rows; ++i) sum += static_cast<double>(inputs.data()[i * width + j]);
    const double mean = sum / static_cast<double>(rows);
    for (Index i = 0; i < rows; ++i) squares += std::pow(static_cast<double>(inputs.data()[i * width + j]) - mean, 2);
    mean_.push_back(mean);
    scale_.push_back(squares > 0 ? std::sqrt(static_cast<double>(rows) / squares) : 0);
  }
}

Tensor Products::of(const Tensor& inputs) const {
  constexpr double cut = 5;  // standard deviations, as LinearModel cuts
  const auto width = std::ssize(mean_);
  const Index rows = inputs.shape()[0];
  Tensor result({rows, columns(width)});
  Scalar* to = result.mutable_data();
  std::vector<double> row(mean_.size());
  for (Index i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < row.size(); ++j) {
      const auto value = static_cast<double>(inputs.data()[i * width + static_cast<Index>(j)]);
      row[j] = std::clamp((value - mean_[j]) * scale_[j], -cut, cut);
    }
    for (std::size_t j = 0; j < row.size(); ++j) {
      *to++ = static_cast<Scalar>(row[j]);
      for (std::size_t k = j; k < row.size(); ++k) *to++ = static_cast<Scalar>(row[j] * row[k]);
    }
  }
  return result;
}

}  // namespace handrail::train
