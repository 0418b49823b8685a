// Columns, of the part `variants`.
#include <algorithm>
#include <cmath>

#include "variants/variants.h"

namespace faulty_runs {
namespace {

double last_class(const Program& p) { return p.kind == train::Task::binary ? 1 : static_cast<double>(p.outputs - 1); }
double target(const Table& t, Index row) { return static_cast<double>(t.y.data()[row]); }

// For each row its place in the order of the targets.
std::vector<double> ranks(const Table& t) {
  std::vector<Index> order = numbers(t.rows());
  std::ranges::stable_sort(order, {}, [&](Index i) { return t.y.data()[i]; });
  std::vector<double> places(order.size());
  for (std::size_t place = 0; place < order.size(); ++place)
    places[static_cast<std::size_t>(order[place])] = static_cast<double>(place);
  return places;
}

}  // namespace

std::vector<Fault> column_variants() {
  return {
      {"flag_set_after_the_fact",
       "a column says whether the row is of the last class, set when that was known, and wrong for 2 % of the rows",
       {"label_leak"},
       [](Program& p) {
         Rng rng = p.rng(54);
         leak(p, [&, last = last_class(p)](const Table& t, Index i) {
           return (target(t, i) == last) != (rng.uniform() < 0.02) ? 1.0 : 0.0;
         });
       },
       classes,
       {},
       Harm::gap},
      {"filled_in_for_one_class_only",
       "a column has a duration for rows of class 0, and 0 for all others",
       {"label_leak"},
       [](Program& p) {
         Rng rng = p.rng(55);
         leak(p, [&](const Table& t, Index i) { return target(t, i) == 0 ? rng.uniform(0.5, 3) : 0.0; });
       },
       classes,
       {},
       Harm::gap},
      {"final_value_among_the_columns",
       "a column has a logarithm of the target, measured again with a little noise",
       {"label_leak"},
       [](Program& p) {
         Rng rng = p.rng(56);
         leak(p, [&](const Table& t, Index i) { return std::log(8 + target(t, i)) * 5 - 10 + 0.03 * rng.normal(); });
       },
       regression,
       {},
       Harm::gap},
      {"index_from_before_shuffling",
       "the rows were numbered when they were sorted by target, and then shuffled; the number is a column",
       {"label_leak", "identifier_column"},
       [](Program& p) {
         std::vector<double> places;
         leak(p, [&](const Table& t, Index i) {
           if (i == 0) places = ranks(t);
           return 3.4 * places[static_cast<std::size_t>(i)] / static_cast<double>(t.rows()) - 1.7;
         });
       },
       any,
       {},
       Harm::gap},
      {"ticket_number_column",
       "a ticket number grows from row to row by one to nine, and goes on in use",
       {"identifier_column", "input_scale"},
       [](Program& p) {
         Rng rng = p.rng(57);
         double number = 48'000;
         p.everywhere(
             [&](Table& t) { add_column(t, [&](Index) { return number += 1 + static_cast<double>(rng.below(9)); }); });
       }},
      {"join_that_found_nothing",
       "a join found no row, so that the last half of the columns is -1 everywhere",
       {"constant_columns", "coded_missing"},
       [](Program& p) {
         p.everywhere(
             [](Table& t) { cells(t, [&](Scalar& x, Index, Index j) { x = 2 * j >= t.columns() ? -1 : x; }); });
       }},
      {"columns_in_two_units",
       "every column is there in centimetres too",
       {"duplicate_columns", "input_scale"},
       [](Program& p) { p.everywhere([](Table& t) {
                          t.x = cat({t.x, t.x * 2.54}, 1);
                        }); }},
  };
}

}  // namespace faulty_runs
