#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include <handrail/train/data/subset.h>

namespace handrail::train {

/// Splits rows in two. The second part has round(fraction * size) rows, at least one and not all; which ones is a
/// function of the seed. Both parts keep the order of the rows.
/// Throws OptionError unless 0 < fraction < 1; DataError when there are fewer than two rows.
std::pair<Rows, Rows> random_split(const Rows& rows, double fraction, std::uint64_t seed = 42);

/// Splits rows in two so that each class gives its share to the second part: that fraction of its rows, rounded up or
/// down (largest remainders), while the sizes of the parts are those of random_split. The second part uses up a class
/// only when the fraction leaves no choice. The result is that of random_split when a target is not one whole number,
/// there are more than 1,000 classes, or there are fewer than two rows to a class.
/// Reads the targets of all these rows. Throws OptionError unless 0 < fraction < 1; DataError when there are fewer than
/// two rows.
std::pair<Rows, Rows> stratified_split(const Rows& rows, double fraction, std::uint64_t seed = 42);
/// Splits rows by class as above, without reading any: targets[i] is the target of the i-th row. Throws ShapeError when
/// there is not one target for each row.
std::pair<Rows, Rows> stratified_split(const Rows& rows, std::span<const Scalar> targets, double fraction,
                                       std::uint64_t seed = 42);

/// The two parts as data sets that share the given one.
std::pair<Subset, Subset> subsets(const std::shared_ptr<const Dataset>& dataset, const std::pair<Rows, Rows>& parts);

/// Splits off a fraction of the samples as a second data set, chosen by the seed:
///   auto [train, test] = random_split(data, 0.2);
/// Throws as random_split of Rows does.
template <std::derived_from<Dataset> D>
std::pair<Subset, Subset> random_split(D dataset, double fraction, std::uint64_t seed = 42) {
  const auto shared = std::make_shared<const D>(std::move(dataset));
  return subsets(shared, random_split(Rows(*shared), fraction, seed));
}

/// Splits off a fraction of the samples of each class as a second data set, chosen by the seed. Throws and reads as
/// stratified_split of Rows does.
template <std::derived_from<Dataset> D>
std::pair<Subset, Subset> stratified_split(D dataset, double fraction, std::uint64_t seed = 42) {
  const auto shared = std::make_shared<const D>(std::move(dataset));
  return subsets(shared, stratified_split(Rows(*shared), fraction, seed));
}

}  // namespace handrail::train
