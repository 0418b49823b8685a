#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "torture/resume_case.h"

// The data of a case, behind layers of data sets that change nothing of it.

namespace simulate {

using namespace resume_case;

/// A data set of a program's own that reads Subsets: its sample i is sample i / 2 of the part i % 2.
class Joined : public train::Dataset {
 public:
  Joined(std::vector<train::Subset> parts, bool in_memory) : parts_(std::move(parts)), in_memory_(in_memory) {}

  Index size() const override { return parts_[0].size() + parts_[1].size(); }
  Shape input_shape() const override { return parts_[0].input_shape(); }
  Shape target_shape() const override { return parts_[0].target_shape(); }
  bool in_memory() const override { return in_memory_; }
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    for (Index part = 0; part < 2; ++part) {
      std::vector<Index> numbers, places;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i] % 2 != part) continue;
        numbers.push_back(rows[i] / 2);
        places.push_back(static_cast<Index>(i));
      }
      if (numbers.empty()) continue;
      const train::Subset& subset = parts_[static_cast<std::size_t>(part)];
      const train::Batch own = train::empty_batch(subset, std::ssize(numbers));
      subset.gather(numbers, own);
      for (std::size_t i = 0; i < places.size(); ++i) {
        copy_row(own.inputs, static_cast<Index>(i), batch.inputs, places[i]);
        copy_row(own.targets, static_cast<Index>(i), batch.targets, places[i]);
      }
    }
  }

 private:
  static void copy_row(const Tensor& from, Index row, const Tensor& to, Index place) {
    const Index width = from.size() / from.shape()[0];
    std::copy_n(from.data() + row * width, width, to.mutable_data() + place * width);
  }

  std::vector<train::Subset> parts_;
  bool in_memory_;
};

inline constexpr int layerings = 6;

/// The samples of data_of(c) in their order. Without a layering it is that data set itself; otherwise they lie in
/// another order below one or two Subsets, or below a Joined.
inline std::shared_ptr<const train::Dataset> layered_data(const Case& c, int layering) {
  const auto plain = std::make_shared<train::TensorDataset>(data_of(c));
  if (layering == 0) return plain;
  std::vector<Index> order = train::all_rows(*plain), place(order.size());  // sample order[p] lies in row p
  Rng(c.seed + 2).shuffle(std::span(order));
  for (std::size_t p = 0; p < order.size(); ++p) place[static_cast<std::size_t>(order[p])] = static_cast<Index>(p);
  const train::Batch rows = train::empty_batch(*plain, plain->size());
  plain->gather(order, rows);
  const auto below = std::make_shared<train::TensorDataset>(rows.inputs, rows.targets,
                                                            train::TensorDatasetOptions{.check_finite = false});
  if (layering == 1) return std::make_shared<train::Subset>(below, place);
  if (layering == 2) {
    std::vector<Index> reversed(place.rbegin(), place.rend()), back = train::all_rows(*plain);
    std::ranges::reverse(back);
    return std::make_shared<train::Subset>(std::make_shared<train::Subset>(below, reversed), back);
  }
  std::vector<Index> halves[2];
  for (std::size_t i = 0; i < place.size(); ++i) halves[i % 2].push_back(place[i]);
  const auto joined = std::make_shared<Joined>(
      std::vector<train::Subset>{train::Subset(below, halves[0]), train::Subset(below, halves[1])}, layering != 5);
  if (layering == 3) return joined;
  return std::make_shared<train::Subset>(joined, train::all_rows(*joined));
}

}  // namespace simulate
