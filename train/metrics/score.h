#pragma once

#include <vector>

#include <handrail/core/scalar.h>

namespace handrail::train {

/// A figure that was measured once on each fold of a cross-validation, and an interval for what it would be on average
/// over data sets of this size.
struct Score {
  std::vector<double> folds;  // the value on each fold
  Index planned_folds;        // their number; more than there are values when a signal ended the cross-validation
  double mean;                // of the folds, each with the same weight
  // The 95 % confidence interval of the mean. The folds share training rows, so that their spread alone would make it
  // too narrow: this is the corrected interval of Nadeau and Bengio (2003, Inference for the generalization error),
  // mean +- t sqrt((1 / K + 1 / (K - 1)) s^2), with the sample variance s^2 of K folds and Student's t of K - 1 degrees
  // of freedom. It is infinite for a single value, and may reach beyond the values that are possible.
  double low, high;
};

/// Makes the score of these values. values: at least one, and at most `planned_folds` of them.
Score score_of(std::vector<double> values, Index planned_folds);

/// The score of the differences, fold by fold, of two cross-validations on the same folds: with the same data, number
/// of folds and seed. When its interval does not contain 0, one program is significantly better (paired, 95 %). Throws
/// OptionError when the numbers of folds differ.
Score operator-(const Score& a, const Score& b);

}  // namespace handrail::train
