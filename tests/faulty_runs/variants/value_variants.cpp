// The values of the inputs, of the part `variants`.
#include <algorithm>
#include <cmath>

#include "variants/variants.h"

namespace faulty_runs {

std::vector<Fault> value_variants() {
  return {
      {"no_data_of_a_raster",
       "in a quarter of the rows the last third of the columns has -9999, the no-data value of a raster",
       {"coded_missing"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [&](Scalar& x, Index i, Index j) {
             if (i % 4 == 1 && 3 * j >= 2 * t.columns()) x = -9999;
           });
         });
       }},
      {"missing_as_zero_before_standardize",
       "every second column is near 100, 12 % of its cells are missing and filled with 0, and Standardize is fitted",
       {"coded_missing"},
       [](Program& p) {
         Rng rng = p.rng(50);
         p.everywhere([&](Table& t) {
           cells(t, [&](Scalar& x, Index, Index j) {
             if (j % 2 == 0) x = rng.uniform() < 0.12 ? 0 : 100 + 4 * x;
           });
         });
         standardise_first(p);
       }},
      {"decimal_point_lost",
       "one cell in 200 of training and validation is 100 times too large, as decimal commas were dropped",
       {"outliers"},
       [](Program& p) {
         Rng rng = p.rng(51);
         p.known([&](Table& t) {
           cells(t, [&](Scalar& x, Index, Index) { x *= rng.uniform() < 0.005 ? Scalar(100) : 1; });
         });
       }},
      {"sensor_at_its_limit",
       "2 % of the training rows have 65535 in two columns, and Standardize is fitted on them",
       {"outliers", "coded_missing"},
       [](Program& p) {
         cells(p.train, [&](Scalar& x, Index i, Index j) { x = i % 50 == 3 && j < 2 ? 65535 : x; });
         standardise_first(p);
       }},
      {"targets_with_a_zero_too_many",
       "3 % of the training targets were typed with a zero too many",
       {"outlier_targets", "outliers"},
       [](Program& p) { targets(p.train, [](Scalar& y, Index i) { y = i % 33 == 5 ? 10 * y + 36 : y; }); },
       regression},
      {"fahrenheit_and_celsius",
       "two of five rows have the first half of their columns in degrees Fahrenheit, the others in Celsius",
       {"mixed_units", "outliers", "input_scale"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [&](Scalar& x, Index i, Index j) {
             if (2 * j < t.columns()) x = i % 5 < 2 ? (15 + 8 * x) * Scalar(1.8) + 32 : 15 + 8 * x;
           });
         });
         standardise_first(p);
       }},
      {"grams_and_kilograms",
       "a fifth of the rows, from another source, have every third column in grams and not in kilograms",
       {"mixed_units", "outliers"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [](Scalar& x, Index i, Index j) {
             if (j % 3 == 0) x = (5 + x) * (i % 5 == 4 ? 1000 : 1);
           });
         });
         standardise_first(p);
       }},
      {"time_in_seconds_since_1970",
       "half of the columns are points of time within some minutes, in seconds since 1970, before Standardize",
       {"large_offset", "input_scale"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [](Scalar& x, Index, Index j) {
             if (j % 2 == 0) x = static_cast<Scalar>(1.7e9 + 100 * static_cast<double>(x));
           });
         });
         standardise_first(p);
       }},
      {"bytes_divided_as_integers",
       "inputs from 0 to 255 are divided by 128 as integers, so that they are 0 or 1",
       {"truncated_columns", "constant_columns"},
       [](Program& p) {
         p.everywhere([](Table& t) {
           cells(t, [](Scalar& x, Index, Index) {
             x = std::floor(std::clamp(Scalar(100) + 45 * x, Scalar(0), Scalar(255)) / 128);
           });
         });
       }},
      {"prices_in_cents_into_tanh",
       "inputs are in hundreds, not standardised, and the hidden units are tanh",
       {"input_scale", "saturated_units"},
       [](Program& p) {
         p.everywhere([](Table& t) { t.x = t.x * 300.0 + 200.0; });
         p.activation = Act::tanh;
       }},
  };
}

}  // namespace faulty_runs
