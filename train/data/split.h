#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <handrail/train/data/subset.h>

namespace handrail::train {

/// Splits rows into two parts at random. The second part has round(fraction * size) rows, but at least one and at most
/// size - 1. The seed alone decides which rows they are. Both parts keep the order of the rows.
/// Throws OptionError unless 0 < fraction < 1; DataError when there are fewer than two rows.
std::pair<Rows, Rows> random_split(const Rows& rows, double fraction, std::uint64_t seed = 42);

/// Splits rows into two parts at random so that the classes keep their shares. The parts are as large as those of
/// random_split. The second part has the given fraction of each class, rounded up or down (method of largest
/// remainders). It takes all rows of a class only when the fraction leaves no choice.
/// The result is that of random_split when a target is not one whole number, when there are more than 1,000 classes,
/// or when there are fewer than five rows a class on average, as for the whole numbers that a regression predicts.
/// Reads the samples of all rows. Throws OptionError unless 0 < fraction < 1; DataError when there are fewer than two
/// rows.
std::pair<Rows, Rows> stratified_split(const Rows& rows, double fraction, std::uint64_t seed = 42);
/// Splits rows as the other stratified_split of Rows does, but takes the targets from `targets` and reads no sample.
/// targets[i] is the target of row i. Throws ShapeError when there is not one target for each row, OptionError unless
/// 0 < fraction < 1, and DataError when there are fewer than two rows.
std::pair<Rows, Rows> stratified_split(const Rows& rows, std::span<const Scalar> targets, double fraction,
                                       std::uint64_t seed = 42);

/// Deals rows out to `count` folds at random. Each row is in one fold, the sizes of folds differ by one row at most,
/// and each fold keeps the order of the rows. The seed alone decides which rows they are. Throws OptionError unless
/// count >= 2; DataError when there are fewer rows than folds.
std::vector<Rows> random_folds(const Rows& rows, Index count, std::uint64_t seed = 42);
/// Deals rows out to `count` folds at random, of each class as many to every fold, but for one row at most. What counts
/// as a class is as for stratified_split; without classes the result is that of random_folds. Reads the samples of all
/// rows. Throws OptionError unless count >= 2; DataError when there are fewer rows than folds.
std::vector<Rows> stratified_folds(const Rows& rows, Index count, std::uint64_t seed = 42);

/// The two parts as data sets that share the data set. Throws DataError when a part is empty.
std::pair<Subset, Subset> subsets(const std::shared_ptr<const Dataset>& dataset, const std::pair<Rows, Rows>& parts);

/// Splits a data set into two at random:
///   auto [train, test] = random_split(data, 0.2);
/// The second one has round(fraction * size) samples, but at least one and at most size - 1. The seed alone decides
/// which samples they are. Throws OptionError unless 0 < fraction < 1; DataError when there are fewer than two samples.
template <std::derived_from<Dataset> D>
std::pair<Subset, Subset> random_split(D dataset, double fraction, std::uint64_t seed = 42) {
  const auto shared = std::make_shared<const D>(std::move(dataset));
  return subsets(shared, random_split(Rows(*shared), fraction, seed));
}

/// Splits a data set into two at random so that the classes keep their shares, as stratified_split of Rows does. Reads
/// all samples. Throws OptionError unless 0 < fraction < 1; DataError when there are fewer than two samples.
template <std::derived_from<Dataset> D>
std::pair<Subset, Subset> stratified_split(D dataset, double fraction, std::uint64_t seed = 42) {
  const auto shared = std::make_shared<const D>(std::move(dataset));
  return subsets(shared, stratified_split(Rows(*shared), fraction, seed));
}

}  // namespace handrail::train
