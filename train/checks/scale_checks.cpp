#include <handrail/train/checks/internal/scale_checks.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr Index max_checked_rows = 5'000;
constexpr double max_offset = 50;  // |usual value| / scale of a column

// Sums over the rows; each vector has one entry per column.
struct ColumnSums {
  double rows = 0;
  std::vector<double> usual = {};                  // the median of a few rows: the background, if there is one
  std::vector<double> squares = {}, nonzero = {};  // of the values: the sum of squares, and how many are not 0
  std::vector<double> deviations = {},
                      active = {};  // of the deviations from `usual`: the sum of squares, and how many are not 0

  std::size_t size() const { return usual.size(); }
  // Root mean squares of the values that are not 0, and of the deviations that are not 0.
  double value(std::size_t j) const { return nonzero[j] > 0 ? std::sqrt(squares[j] / nonzero[j]) : 0; }
  double scale(std::size_t j) const { return active[j] > 0 ? std::sqrt(deviations[j] / active[j]) : 0; }
  double offset(std::size_t j) const { return std::abs(usual[j]) / scale(j); }
  bool varies(std::size_t j) const { return active[j] > 0.05 * rows; }
  double value() const {
    double sum = 0, count = 0;
    for (const double square : squares) sum += square;
    for (const double n : nonzero) count += n;
    return count > 0 ? std::sqrt(sum / count) : 0;
  }
};

void add_row(ColumnSums& sums, const Scalar* row) {
  const std::size_t cols = sums.size();
  const double* usual = sums.usual.data();
  double *squares = sums.squares.data(), *nonzero = sums.nonzero.data();
  double *deviations = sums.deviations.data(), *active = sums.active.data();
  for (std::size_t j = 0; j < cols; ++j) {
    // A value that is not finite counts as the usual one here: check_finite reports it.
    const double x = is_finite(row[j]) ? static_cast<double>(row[j]) : usual[j], d = x - usual[j];
    squares[j] += x * x;
    nonzero[j] += x != 0 ? 1.0 : 0.0;
    deviations[j] += d * d;
    active[j] += d != 0 ? 1.0 : 0.0;
  }
}

std::vector<double> usual_values(const DataPart& part, std::span<const Index> rows, Tensor Batch::*values) {
  constexpr std::size_t sampled_rows = 5;
  std::array<Index, sampled_rows> some;
  for (std::size_t i = 0; i < sampled_rows; ++i) some[i] = rows[(2 * i + 1) * rows.size() / (2 * sampled_rows)];
  const Tensor tensor = gather(part, some).*values;
  std::vector<double> usual(tensor.span().size() / sampled_rows);
  for (std::size_t j = 0; j < usual.size(); ++j) {
    std::array<Scalar, sampled_rows> column;
    for (std::size_t i = 0; i < sampled_rows; ++i) {
      const Scalar value = tensor.span()[i * usual.size() + j];
      column[i] = is_finite(value) ? value : 0;
    }
    std::ranges::nth_element(column, column.begin() + sampled_rows / 2);
    usual[j] = static_cast<double>(column[sampled_rows / 2]);
  }
  return usual;
}

ColumnSums measure(const DataPart& part, Tensor Batch::*values) {
  const Rows rows = sample_rows(part, max_checked_rows);
  ColumnSums sums{.rows = static_cast<double>(rows.size()), .usual = usual_values(part, rows.numbers(), values)};
  sums.squares = sums.nonzero = sums.deviations = sums.active = std::vector<double>(sums.size());
  for_batches(part, rows, [&](std::span<const Index> batch_rows, const Batch& batch) {
    const Scalar* row = (batch.*values).data();
    for (std::size_t k = batch_rows.size(); k > 0; --k, row += sums.size()) add_row(sums, row);
  });
  return sums;
}

// The columns of the largest and the smallest scale, and the one farthest from 0 for its scale.
struct Extremes {
  std::optional<std::size_t> largest, smallest, farthest;
};

Extremes compare_columns(const ColumnSums& sums) {
  Extremes found;
  for (std::size_t j = 0; j < sums.size(); ++j) {
    if (!sums.varies(j)) continue;
    if (!found.largest || sums.scale(j) > sums.scale(*found.largest)) found.largest = j;
    if (!found.smallest || sums.scale(j) < sums.scale(*found.smallest)) found.smallest = j;
    if (!found.farthest || sums.offset(j) > sums.offset(*found.farthest)) found.farthest = j;
  }
  return found;
}

// The median offset of the columns that vary, of which there are two at least.
std::optional<double> median_offset(const ColumnSums& sums) {
  std::vector<double> offsets;
  for (std::size_t j = 0; j < sums.size(); ++j)
    if (sums.varies(j)) offsets.push_back(sums.offset(j));
  return offsets.size() < 2 ? std::nullopt : std::optional(median(offsets));
}

std::size_t largest_column(const ColumnSums& sums) {
  std::size_t largest = 0;
  for (std::size_t j = 1; j < sums.size(); ++j)
    if (sums.value(j) > sums.value(largest)) largest = j;
  return largest;
}

}  // namespace

bool is_usual_scale(double root_mean_square) {
  constexpr double max_value = 5, min_value = 0.04;
  return root_mean_square <= max_value && (root_mean_square == 0 || root_mean_square >= min_value);
}

std::optional<Anomaly> check_input_scale(const DataPart& train) {
  constexpr double max_scale_ratio = 100, max_usual_offset = 10;
  const ColumnSums sums = measure(train, &Batch::inputs);
  const auto [largest, smallest, farthest] = compare_columns(sums);
  const auto usual_offset = median_offset(sums);
  const double value = sums.value();
  const bool one_is_far = farthest && sums.offset(*farthest) > max_offset;
  const bool all_are_far = usual_offset && *usual_offset > max_usual_offset;
  Anomaly anomaly{
      .name = "input_scale",
      .where = {},
      .evidence = {},
      .cause = "raw data: the initial weights and the learning rate suit inputs with mean 0 and standard deviation 1",
      .remedy = "put nn::Standardize::fit(train) first in the model"};
  if (!is_usual_scale(value)) {
    const std::size_t j = largest_column(sums);
    anomaly.where = concat("column ", j, " of the inputs");
    anomaly.evidence = concat("root mean square ", short_form(sums.value(j)), ", want about 1");
    anomaly.details = concat("it is ", short_form(value), " over all columns, zeros not counted");
  } else if (largest && sums.scale(*largest) > max_scale_ratio * sums.scale(*smallest)) {
    anomaly.where = concat("columns ", *smallest, " and ", *largest, " of the inputs");
    anomaly.evidence =
        concat("their scales are ", short_form(sums.scale(*largest) / sums.scale(*smallest)),
               " times apart: ", short_form(sums.scale(*smallest)), " and ", short_form(sums.scale(*largest)));
  } else if (one_is_far || all_are_far) {
    anomaly.where = concat("column ", *farthest, " of the inputs");
    anomaly.evidence = concat("values about ", short_form(sums.usual[*farthest]), " that vary by only ",
                              short_form(sums.scale(*farthest)));
    if (one_is_far) return anomaly;
    anomaly.evidence += "; most columns are like it";
    anomaly.cause =
        "inputs that were normalised twice, or by the constants of other data: they hardly differ from row to "
        "row for a model whose weights suit inputs with mean 0 and standard deviation 1";
    anomaly.remedy = "normalise once, or nn::Standardize::fit(train)";
  } else {
    return std::nullopt;
  }
  return anomaly;
}

std::optional<Anomaly> check_target_scale(const DataPart& train) {
  const ColumnSums sums = measure(train, &Batch::targets);
  for (std::size_t j = 0; j < sums.size(); ++j) {
    const double value = sums.value(j), scale = sums.scale(j), usual = sums.usual[j];
    const bool odd = scale > 0 && (scale < 1e-3 || sums.offset(j) > max_offset);
    if (value <= 100 && !odd) continue;
    return Anomaly{.name = "target_scale",
                   .where = concat("column ", j, " of the targets"),
                   .evidence = concat("values about ", short_form(usual), " that vary by ", short_form(scale)),
                   .cause =
                       "raw targets: the initial weights and the learning rate suit targets with mean 0 and standard "
                       "deviation 1",
                   .remedy = "standardise the targets, undo it on predictions",
                   .details = concat("their root mean square is ", short_form(value))};
  }
  return std::nullopt;
}

}  // namespace handrail::train
