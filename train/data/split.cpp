#include <handrail/train/data/split.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <tuple>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// How many of `size` rows go into the second part. Throws as random_split does.
Index second_size(Index size, double fraction) {
  if (!(fraction > 0 && fraction < 1)) fail<OptionError>("split: want a fraction in (0, 1); got ", fraction);
  if (size < 2) fail<DataError>("split: want at least 2 rows; got ", size);
  return std::clamp<Index>(std::llround(fraction * static_cast<double>(size)), 1, size - 1);
}

std::vector<Index> shuffled_positions(Index size, std::uint64_t seed) {
  std::vector<Index> positions(static_cast<std::size_t>(size));
  std::iota(positions.begin(), positions.end(), Index{0});
  Rng rng(StreamKey{.seed = seed, .stream = Stream::split});
  rng.shuffle(std::span(positions));
  return positions;
}

bool is_whole(Scalar target) { return is_finite(target) && target == std::floor(target); }

// The targets of these rows; empty when they are not single whole numbers.
std::vector<Scalar> read_classes(const Rows& rows) {
  constexpr std::size_t chunk = 256;
  const Dataset& dataset = rows.dataset();
  if (dataset.target_shape().size() != 1) return {};
  std::vector<Scalar> targets;
  for (auto rest = rows.numbers(); !rest.empty(); rest = rest.subspan(std::min(chunk, rest.size()))) {
    const auto some = rest.first(std::min(chunk, rest.size()));
    const Batch batch = empty_batch(dataset, std::ssize(some));
    dataset.gather(some, batch);
    const auto read = batch.targets.span();
    if (!std::ranges::all_of(read, is_whole)) return {};
    targets.insert(targets.end(), read.begin(), read.end());
  }
  return targets;
}

// The class of each row, numbered from 0 in ascending order of the targets; empty when the targets are not classes.
std::vector<std::size_t> number_classes(std::span<const Scalar> targets) {
  constexpr std::size_t max_classes = 1000, min_rows = 5;  // of a class on average
  std::map<Scalar, std::size_t> numbers;
  for (const Scalar target : targets) {
    if (!is_whole(target)) return {};
    numbers.emplace(target, 0);
    if (numbers.size() > max_classes) return {};
  }
  if (min_rows * numbers.size() > targets.size()) return {};
  std::size_t next = 0;
  for (auto& [target, number] : numbers) number = next++;
  std::vector<std::size_t> classes;
  classes.reserve(targets.size());
  for (const Scalar target : targets) classes.push_back(numbers.at(target));
  return classes;
}

// How many rows of each class go into the second part, `total` in all, by the method of largest remainders. Classes
// that would lose their last row to it come last.
std::vector<Index> apportion(const std::vector<Index>& sizes, double fraction, Index total) {
  struct Claim {
    bool used_up;
    double missing;  // to the next whole row
    std::size_t number;
  };
  std::vector<Index> shares;
  std::vector<Claim> claims;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    const double exact = fraction * static_cast<double>(sizes[c]);
    shares.push_back(static_cast<Index>(exact));
    claims.push_back({shares[c] + 1 >= sizes[c], 1 - (exact - std::floor(exact)), c});
    total -= shares[c];
  }
  std::ranges::sort(claims, {}, [](const Claim& c) { return std::tuple(c.used_up, c.missing, c.number); });
  for (std::size_t k = 0; total > 0; ++k, --total) ++shares[claims[k].number];
  return shares;
}

// The rows at these positions, in the order of the rows.
Rows in_order(const Rows& rows, std::vector<Index> positions) {
  std::ranges::sort(positions);
  return rows.pick(positions);
}

void check_folds(const Rows& rows, Index count) {
  if (count < 2) fail<OptionError>("folds: want at least 2 folds; got ", count);
  if (rows.size() < count)
    fail<DataError>("folds: want at least one row for each of the ", count, " folds; got ",
                    counted(rows.size(), "row"));
}

// Deals the positions out one after another, class by class, so that neither a class nor all rows are uneven by more
// than one row. classes: of each row; empty when there are none.
std::vector<Rows> deal(const Rows& rows, const std::vector<std::size_t>& classes, Index count, std::uint64_t seed) {
  std::vector<Index> order = shuffled_positions(rows.size(), seed);
  if (!classes.empty())
    std::ranges::stable_sort(order, {}, [&](Index position) { return classes[static_cast<std::size_t>(position)]; });
  std::vector<std::vector<Index>> dealt(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < order.size(); ++i) dealt[i % dealt.size()].push_back(order[i]);
  std::vector<Rows> folds;
  folds.reserve(dealt.size());
  for (std::vector<Index>& positions : dealt) folds.push_back(in_order(rows, std::move(positions)));
  return folds;
}

}  // namespace

std::pair<Rows, Rows> random_split(const Rows& rows, double fraction, std::uint64_t seed) {
  const Index count = second_size(rows.size(), fraction);
  const std::vector<Index> positions = shuffled_positions(rows.size(), seed);
  return {in_order(rows, {positions.begin() + count, positions.end()}),
          in_order(rows, {positions.begin(), positions.begin() + count})};
}

std::pair<Rows, Rows> stratified_split(const Rows& rows, double fraction, std::uint64_t seed) {
  second_size(rows.size(), fraction);  // throws before anything is read
  const std::vector<Scalar> targets = read_classes(rows);
  return targets.empty() ? random_split(rows, fraction, seed) : stratified_split(rows, targets, fraction, seed);
}

std::pair<Rows, Rows> stratified_split(const Rows& rows, std::span<const Scalar> targets, double fraction,
                                       std::uint64_t seed) {
  if (std::ssize(targets) != rows.size())
    fail<ShapeError>("split: want one target for each of ", rows.size(), " rows; got ", targets.size());
  const Index count = second_size(rows.size(), fraction);
  const std::vector<std::size_t> classes = number_classes(targets);
  if (classes.empty()) return random_split(rows, fraction, seed);
  std::vector<Index> sizes(1 + std::ranges::max(classes));
  for (const std::size_t c : classes) ++sizes[c];
  std::vector<Index> wanted = apportion(sizes, fraction, count);
  std::vector<Index> first, second;
  for (const Index position : shuffled_positions(rows.size(), seed)) {
    Index& left = wanted[classes[static_cast<std::size_t>(position)]];
    (left > 0 ? second : first).push_back(position);
    --left;
  }
  return {in_order(rows, std::move(first)), in_order(rows, std::move(second))};
}

std::vector<Rows> random_folds(const Rows& rows, Index count, std::uint64_t seed) {
  check_folds(rows, count);
  return deal(rows, {}, count, seed);
}

std::vector<Rows> stratified_folds(const Rows& rows, Index count, std::uint64_t seed) {
  check_folds(rows, count);
  return deal(rows, number_classes(read_classes(rows)), count, seed);
}

std::pair<Subset, Subset> subsets(const std::shared_ptr<const Dataset>& dataset, const std::pair<Rows, Rows>& parts) {
  const auto subset = [&](const Rows& rows) { return Subset(dataset, {rows.numbers().begin(), rows.numbers().end()}); };
  return {subset(parts.first), subset(parts.second)};
}

}  // namespace handrail::train
