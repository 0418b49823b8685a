#include <handrail/train/report/html/internal/heat_map.h>

#include <cmath>
#include <limits>

namespace handrail::train::html {

void HeatMap::add(std::int64_t step, std::span<const double> values) {
  if (values.size() != rows_) {
    rows_ = values.size();
    stride_ = 1;
    steps_.clear();
    cells_.clear();
    steps_.reserve(max_columns_);
    cells_.reserve(max_columns_ * rows_);
  }
  if (steps_.empty() || in_last_ == stride_) {
    if (steps_.size() == max_columns_) halve();
    steps_.push_back({step, step});
    cells_.resize(steps_.size() * rows_);
    in_last_ = 0;
  }
  ++in_last_;
  steps_.back().last = step;
  Cell* cell = cells_.data() + (steps_.size() - 1) * rows_;
  for (const double value : values) {
    if (value > 0 && std::isfinite(value)) {
      cell->sum += std::log10(value);
      ++cell->count;
    }
    ++cell;
  }
}

double HeatMap::log10_at(std::size_t row, std::size_t column) const {
  const Cell& cell = cells_[column * rows_ + row];
  return cell.count > 0 ? cell.sum / cell.count : std::numeric_limits<double>::quiet_NaN();
}

// All columns are full, and their number is even.
void HeatMap::halve() {
  const std::size_t half = steps_.size() / 2;
  for (std::size_t c = 0; c < half; ++c) {
    steps_[c] = {steps_[2 * c].first, steps_[2 * c + 1].last};
    for (std::size_t r = 0; r < rows_; ++r) {
      const Cell a = cells_[2 * c * rows_ + r], b = cells_[(2 * c + 1) * rows_ + r];
      cells_[c * rows_ + r] = {a.sum + b.sum, a.count + b.count};
    }
  }
  steps_.resize(half);
  cells_.resize(half * rows_);
  stride_ *= 2;
}

}  // namespace handrail::train::html
