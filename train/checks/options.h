#pragma once

#include <concepts>
#include <type_traits>

#include <handrail/train/option/option.h>

namespace handrail::train {

/// Checks are made before the first step. What makes training pointless throws DataError; all else is a warning.
struct CheckOptions {
  /// Whether data are free of NaN and infinity.
  bool finite = true;
  /// Whether labels are in range and every class occurs.
  bool labels = true;
  /// Whether inputs, and the targets of a regression, are roughly normalised.
  bool input_scale = true;
  /// Whether training and validation set share rows.
  bool duplicates = true;
  /// Whether the first loss of a classifier with C classes is near ln C.
  bool initial_loss = true;
  /// Whether every parameter gets a gradient, and whether every leaf of the tape is a parameter.
  bool reach = true;
  /// Whether the model can memorise one batch.
  bool overfit_batch = true;
};

/// Calls visit(OptionInfo, value) for every field. None is fixed: a run that is resumed has passed its checks.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, CheckOptions>
void visit_options(Options& options, Visit&& visit) {
  auto& [finite, labels, input_scale, duplicates, initial_loss, reach, overfit_batch] = options;
  visit({.name = "finite",
         .help = "look for NaN and infinity in the data",
         .without = "NaN in the data is found during training only",
         .fixed = false},
        finite);
  visit({.name = "labels",
         .help = "look for labels out of range and missing classes",
         .without = "labels out of range are found during training only",
         .fixed = false},
        labels);
  visit({.name = "input_scale",
         .help = "look at the scale of inputs and targets",
         .without = "inputs that are not normalised are not reported",
         .fixed = false},
        input_scale);
  visit({.name = "duplicates",
         .help = "look for rows in both training and validation set",
         .without = "rows in both training and validation set are not reported",
         .fixed = false},
        duplicates);
  visit({.name = "initial_loss",
         .help = "compare the first loss of a classifier with ln C",
         .without = "an initial loss that is too high is not reported",
         .fixed = false},
        initial_loss);
  visit({.name = "reach",
         .help = "look for parameters that get no gradient",
         .without = "parameters that are not trained are not reported",
         .fixed = false},
        reach);
  visit({.name = "overfit_batch",
         .help = "try whether one batch can be memorised",
         .without = "whether one batch can be memorised is not tested",
         .fixed = false},
        overfit_batch);
}

}  // namespace handrail::train
