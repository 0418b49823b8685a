// Columns: scales, units, leaks of the label, and columns that say nothing.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

void scale_column(Table& table, Index column, double factor, double shift = 0) {
  for (Index i = 0; i < table.rows(); ++i) {
    Scalar& x = table.x.mutable_data()[i * table.columns() + column];
    x = static_cast<Scalar>(factor * static_cast<double>(x) + shift);
  }
}

void map(const Tensor& x, const std::function<double(double)>& f) {
  for (Scalar& value : x.mutable_span()) value = static_cast<Scalar>(f(static_cast<double>(value)));
}

nn::Sequential standardised(const Program& p, Rng& rng) {
  nn::Sequential model{nn::Standardize::fit(p.train.x)};
  model.push_back(mlp(p.widths(), rng, p.activation));
  return model;
}

}  // namespace

void leak(Program& p, const std::function<double(const Table&, Index)>& known) {
  Rng rng = p.rng(4);
  p.known([&](Table& t) { add_column(t, [&](Index i) { return known(t, i); }); });
  const Table& shown = p.validation;
  const auto rows = static_cast<std::uint64_t>(shown.rows());
  add_column(p.test, [&](Index) {
    return static_cast<double>(shown.x.at({static_cast<Index>(rng.below(rows)), shown.columns() - 1}));
  });
}

std::vector<Fault> column_faults() {
  return {
      {"raw_inputs",
       "inputs are 255 times too large and not centred",
       {"input_scale"},
       [](Program& p) { p.everywhere([](Table& t) { map(t.x, [](double x) { return 255 * (x + 1); }); }); }},
      {"one_large_column",
       "one column is in other units, 10,000 times larger than the others",
       {"input_scale"},
       [](Program& p) { p.everywhere([](Table& t) { scale_column(t, t.columns() / 2, 1e4); }); }},
      {"tiny_inputs",
       "inputs are 10,000 times too small",
       {"input_scale"},
       [](Program& p) { p.everywhere([](Table& t) { map(t.x, [](double x) { return 1e-4 * x; }); }); }},
      {"large_targets",
       "targets are 1000 times too large and far from 0",
       {"target_scale"},
       [](Program& p) { p.everywhere([](Table& t) { map(t.y, [](double y) { return 1e3 * y + 5e3; }); }); },
       regression},
      {"tiny_targets",
       "targets are 10,000 times too small",
       {"target_scale"},
       [](Program& p) { p.everywhere([](Table& t) { map(t.y, [](double y) { return 1e-4 * y; }); }); },
       regression},
      {"mixed_units",
       "a third of the rows have half of their columns in thousandths of the unit",
       {"mixed_units", "outliers"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           for (Index i = 0; i < t.rows(); i += 3)
             for (Index j = 0; j < t.columns(); j += 2) t.x.mutable_data()[i * t.columns() + j] *= 1000;
         });
       }},
      {"mixed_units_standardised",
       "a column in two units, which Standardize is fitted on",
       {"mixed_units", "outliers"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           for (Index i = 0; i < t.rows(); i += 3)
             for (Index j = 0; j < t.columns(); j += 2) t.x.mutable_data()[i * t.columns() + j] *= 1000;
         });
         p.make_model = standardised;
       }},
      {"large_offset",
       "columns are near 20 million, where a float has no digits left, before Standardize",
       {"large_offset", "input_scale"},
       [](Program& p) {
         p.everywhere([](Table& t) { map(t.x, [](double x) { return x + 2e7; }); });
         p.make_model = standardised;
       }},
      {"integer_division",
       "inputs are cut to whole numbers by an integer division",
       {"truncated_columns", "constant_columns"},
       [](Program& p) { p.everywhere([](Table& t) { map(t.x, [](double x) { return std::trunc(x / 3); }); }); }},
      {"duplicated_columns",
       "every column is there three times",
       {"duplicate_columns"},
       [](Program& p) { p.everywhere([](Table& t) {
                          t.x = cat({t.x, t.x, t.x}, 1);
                        }); }},
      {"constant_columns",
       "half of the columns are overwritten by a constant",
       {"constant_columns"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           for (Index j = 0; j < t.columns(); j += 2) scale_column(t, j, 0, 1);
         });
       }},
      {"label_as_column",
       "the label is one of the columns, and is not known in use",
       {"label_leak"},
       [](Program& p) { leak(p, [](const Table& t, Index i) { return static_cast<double>(t.y.data()[i]); }); },
       any,
       {},
       Harm::gap},
      {"noisy_label_as_column",
       "a column was computed from the label, with some noise",
       {"label_leak"},
       [](Program& p) {
         Rng rng = p.rng(5);
         leak(p, [&](const Table& t, Index i) { return static_cast<double>(t.y.data()[i]) + 0.1 * rng.normal(); });
       },
       any,
       {},
       Harm::gap},
      {"code_of_label_as_column",
       "a column has a code of the class, in another order",
       {"label_leak"},
       [](Program& p) {
         leak(p, [](const Table& t, Index i) {
           return std::fmod(7 * static_cast<double>(t.y.data()[i]) + 3, 11) / 5 - 1;
         });
       },
       multiclass,
       {},
       Harm::gap},
      {"row_number_column",
       "rows are sorted by label and numbered, and the number is a column",
       {"identifier_column", "label_leak"},
       [](Program& p) {
         p.known([](Table& t) {
           std::vector<Index> order = numbers(t.rows());
           std::ranges::stable_sort(order, {}, [&](Index i) { return t.y.data()[i]; });
           t = pick(t, order);
         });
         leak(p, [](const Table& t, Index i) {
           return 3.4 * static_cast<double>(i) / static_cast<double>(t.rows()) - 1.7;
         });
       },
       any,
       {},
       Harm::gap},
      {"identifier_column",
       "the number of the customer is a column, growing with the row",
       {"identifier_column"},
       [](Program& p) {
         double number = 0;
         Rng rng = p.rng(6);
         p.everywhere([&](Table& t) { add_column(t, [&](Index) { return (number += rng.uniform()) / 300; }); });
       }},
      {"columns_of_noise",
       "300 columns of noise are added to the inputs",
       {"noise_columns", "overfitting"},
       [](Program& p) {
         Rng rng = p.rng(7);
         p.everywhere([&](Table& t) { t.x = cat({t.x, normal({t.rows(), 300}, 0, 1, rng)}, 1); });
       }},
      {"category_as_number",
       "a category of 12 values, numbered at random, replaces the columns that it was made of",
       {"coded_category"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           for (Index i = 0; i < t.rows(); ++i)
             for (Index j = 0; j < t.columns(); j += 2) {
               Scalar& x = t.x.mutable_data()[i * t.columns() + j];
               const double bin = std::clamp(std::floor(static_cast<double>(x) * 3) + 6, 0.0, 11.0);
               x = static_cast<Scalar>(std::fmod(5 * bin + 3, 12));
             }
         });
       }},
  };
}

}  // namespace faulty_runs
