// Values, rows and columns, of the part `novel`.
#include <algorithm>
#include <cmath>
#include <string>

#include "novel/novel.h"

namespace faulty_runs {
namespace {

// The places of the numbers 0 to count - 1 in the order of their text.
std::vector<Scalar> places_in_order_of_text(Index count) {
  std::vector<Index> order = numbers(count);
  std::ranges::sort(order, {}, [](Index i) { return std::to_string(i); });
  std::vector<Scalar> places(order.size());
  for (std::size_t place = 0; place < order.size(); ++place)
    places[static_cast<std::size_t>(order[place])] = static_cast<Scalar>(place);
  return places;
}

}  // namespace

std::vector<Fault> novel_data() {
  return {
      {"n_missing_as_the_largest_integer",
       "2 % of the cells are missing, and are 2147483647 after a conversion to whole numbers and back",
       {"coded_missing", "outliers"},
       [](Program& p) {
         Rng rng = p.rng(110);
         p.everywhere([&](Table& t) {
           cells(t, [&](Scalar& x, Index, Index) { x = rng.uniform() < 0.02 ? Scalar(2147483647) : x; });
         });
         standardise_first(p);
       }},
      {"n_separator_of_thousands",
       "amounts from 1,000 on are read up to their separator, so that 1,234 becomes 1",
       {"mixed_units", "two_regimes"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [](Scalar& x, Index, Index) {
             const Scalar amount = 700 * std::exp(Scalar(0.8) * x);
             x = amount < 1000 ? amount : std::floor(amount / 1000);
           });
         });
         standardise_first(p);
       }},
      {"n_exponents_lost",
       "a reader of text stops at the e of 3.4e-02, so that numbers below 0.1 are up to 100 times too large",
       {"outliers", "mixed_units"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [](Scalar& x, Index, Index) {
             if (x != 0 && std::abs(x) < Scalar(0.1)) x /= std::pow(Scalar(10), std::floor(std::log10(std::abs(x))));
           });
         });
       }},
      {"n_reader_returns_its_last_row",
       "after an error at 30 % of the training file, a reader goes on to return the last row that it could read",
       {"repeated_rows", "repeated_target", "small_training_set"},
       [](Program& p) {
         std::vector<Index> rows = numbers(p.train.rows());
         for (Index& row : rows) row = std::min(row, 3 * p.train.rows() / 10);
         p.train = pick(p.train, rows);
       }},
      {"n_one_line_of_targets_lost",
       "a line of the file of targets was lost at a quarter of the training rows: all behind have the target of the "
       "next row",
       {"labels_shifted", "labels_shuffled", "label_noise", "two_regimes"},
       [](Program& p) {
         for (Index i = p.train.rows() / 4; i + 1 < p.train.rows(); ++i)
           p.train.y.mutable_data()[i] = p.train.y.data()[i + 1];
       }},
      in_each_batch("n_random_flip_of_a_table",
                    "a data set turns half of its rows around, as one flips images, so that their first column is last",
                    {"unstable_data", "scrambled_inputs", "noisy_inputs"},
                    [](const Program& p) {
                      const auto rng = std::make_shared<Rng>(p.rng(111));
                      return [rng](const Table& all, const train::Batch& batch) {
                        for (Index i = 0; i < batch.inputs.shape()[0]; ++i)
                          if (rng->below(2) == 0)
                            std::reverse(&at(batch.inputs, i, 0), &at(batch.inputs, i, 0) + all.columns());
                      };
                    }),
  };
}

std::vector<Fault> novel_columns() {
  return {
      {"n_visits_after_the_diagnosis",
       "a column counts all visits of a patient, of which most follow from the class, and are not known in use",
       {"label_leak"},
       [](Program& p) {
         Rng rng = p.rng(112);
         leak(p, [&](const Table& t, Index i) {
           return 3 * static_cast<double>(t.y.data()[i]) + static_cast<double>(rng.below(4));
         });
       },
       classes,
       {},
       Harm::gap},
      {"n_numbers_encoded_as_text",
       "columns of whole numbers from 0 to 19 were read as text, and encoded in the order of the alphabet",
       {"coded_category", "scrambled_inputs"},
       [](Program& p) {
         const std::vector<Scalar> places = places_in_order_of_text(20);
         p.everywhere([&](Table& t) {
           cells(t, [&](Scalar& x, Index, Index) {
             x = places[static_cast<std::size_t>(std::clamp(std::round(4 * x + 9), Scalar(0), Scalar(19)))];
           });
         });
         standardise_first(p);
       }},
      {"n_columns_pasted_over_their_neighbours",
       "while a table was put together, every second column was pasted over by the one before it",
       {"duplicate_columns"},
       [](Program& p) {
         p.everywhere(
             [](Table& t) { cells(t, [&](Scalar& x, Index i, Index j) { x = j % 2 == 1 ? at(t.x, i, j - 1) : x; }); });
       }},
      {"n_comma_within_a_name",
       "in two of five rows a name has a comma, so that all but the first column are one further, and the last is lost",
       {"scrambled_inputs", "columns_permuted", "two_regimes"},
       [](Program& p) {
         Rng rng = p.rng(113);
         p.everywhere([&](Table& t) {
           for (Index i = 0; i < t.rows(); ++i) {
             if (rng.uniform() > 0.4) continue;
             for (Index j = t.columns() - 1; j > 1; --j) at(t.x, i, j) = at(t.x, i, j - 1);
             at(t.x, i, 1) = 0;
           }
         });
       }},
  };
}

}  // namespace faulty_runs
