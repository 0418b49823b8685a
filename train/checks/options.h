#pragma once

#include <concepts>
#include <type_traits>

#include <handrail/train/option/option.h>

namespace handrail::train {

/// The checks before the first step. NaN, infinity and targets that are no class throw DataError; everything else that
/// is found is reported as an anomaly, and training begins.
struct CheckOptions {
  /// Looks for NaN and infinity in inputs and targets.
  bool finite = true;
  /// Looks for labels out of range, for classes that never occur, and for classes of very different frequency.
  bool labels = true;
  /// Looks whether the inputs, and the targets of a regression, are roughly normalised.
  bool input_scale = true;
  /// Looks for outliers, coded missing values, mixed units and other oddities of single columns.
  bool columns = true;
  /// Looks for columns that tell the target, and for identifiers.
  bool leaks = true;
  /// Looks for targets that do not fit the loss, the inputs or each other.
  bool targets = true;
  /// Looks for repeated and sorted rows, for sets that are too small, and for samples that change under their targets.
  bool rows = true;
  /// Looks whether the validation set looks like the training set, column by column.
  bool drift = true;
  /// Looks for rows that are in both the training and the validation set, or nearly so.
  bool duplicates = true;
  /// Looks whether the first loss of a classifier with C classes is near ln C, which is the loss of a guess.
  bool initial_loss = true;
  /// Looks for parameters that get no gradient, and for tensors that get one but are no parameters of the model.
  bool reach = true;
  /// Looks for layers, activations and a loss that do not fit together, in the ops of the first batch.
  bool structure = true;
  /// Looks for initial weights that cannot train, in the values of the first batch.
  bool initial_weights = true;
  /// Looks whether predictions depend on the inputs of their own sample, and the loss on the targets, as a mean.
  bool dependence = true;
  /// Compares gradients with differences of the loss.
  bool gradients = true;
  /// Looks for settings that rarely train a model: frozen or forgotten parameters, numbers of the optimizer, the
  /// schedule, too few steps, limits that were left on, no validation set.
  bool settings = true;
  /// Tries whether some steps on one batch lower its loss.
  bool overfit_batch = true;
  /// Compares an `lr` that is given for at least 100 steps with the one that a short sweep of the LR finder suggests.
  /// The sweep takes at most 5 % of the planned steps or 50 ms.
  bool lr = true;
};

/// Calls visit(OptionInfo, value) for every field. None is fixed, so that all may differ when a run is resumed: its
/// checks were made when it began.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, CheckOptions>
void visit_options(Options& options, Visit&& visit) {
  auto& [finite, labels, input_scale, columns, leaks, targets, rows, drift, duplicates, initial_loss, reach, structure,
         initial_weights, dependence, gradients, settings, overfit_batch, lr] = options;
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
  visit({.name = "columns",
         .help = "look for outliers, coded missing values and odd columns",
         .without = "outliers, coded missing values and odd columns are not reported",
         .fixed = false},
        columns);
  visit({.name = "leaks",
         .help = "look for columns that tell the target",
         .without = "columns that tell the target are not reported",
         .fixed = false},
        leaks);
  visit({.name = "targets",
         .help = "look for targets that do not fit the loss or the inputs",
         .without = "targets that do not fit the loss or the inputs are not reported",
         .fixed = false},
        targets);
  visit({.name = "rows",
         .help = "look for repeated, sorted and too few rows",
         .without = "repeated, sorted and too few rows are not reported",
         .fixed = false},
        rows);
  visit({.name = "drift",
         .help = "compare the columns of training and validation set",
         .without = "a validation set unlike the training set is not reported",
         .fixed = false},
        drift);
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
  visit({.name = "structure",
         .help = "look for layers, activations and a loss that do not fit together",
         .without = "layers and losses that do not fit together are not reported",
         .fixed = false},
        structure);
  visit({.name = "initial_weights",
         .help = "look for initial weights that cannot train",
         .without = "initial weights that cannot train are not reported",
         .fixed = false},
        initial_weights);
  visit({.name = "dependence",
         .help = "look what predictions and loss depend on",
         .without = "predictions that mix samples or ignore inputs are not reported",
         .fixed = false},
        dependence);
  visit({.name = "gradients",
         .help = "compare gradients with differences of the loss",
         .without = "gradients that are wrong are not reported",
         .fixed = false},
        gradients);
  visit({.name = "settings",
         .help = "look for settings that rarely train a model",
         .without = "settings that rarely train a model are not reported",
         .fixed = false},
        settings);
  visit({.name = "overfit_batch",
         .help = "try whether one batch can be memorised",
         .without = "whether one batch can be memorised is not tested",
         .fixed = false},
        overfit_batch);
  visit({.name = "lr",
         .help = "compare a given lr with a short sweep of the LR finder",
         .without = "an lr that is far too high or too low is not reported before the first step",
         .fixed = false},
        lr);
}

}  // namespace handrail::train
