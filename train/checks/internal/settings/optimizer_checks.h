#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/parameter.h>
#include <handrail/optim/optimizer.h>
#include <handrail/train/checks/internal/settings/settings_checks.h>
#include <handrail/train/report/anomaly.h>

// Pure functions that find, before the first step, parameters that an optimizer does not train, and numbers of it that
// rarely train a model.

namespace handrail::train {

/// Which parameters of the model an optimizer can move.
struct Trained {
  Index parameters = 0, weights = 0;       // of the model, and their elements
  Index trained = 0, trained_weights = 0;  // that require a gradient and are in a group with lr_scale > 0
  std::vector<std::string> frozen = {};    // that require no gradient, or have lr_scale 0
  Index frozen_weights = 0;
  std::vector<std::string> left_out = {};  // that require a gradient and are in no group
  Index left_out_weights = 0;
  std::vector<std::string> slow = {};            // in a group with less than a thousandth of the highest lr_scale
  Index slow_weights = 0, new_slow_weights = 0;  // of which the latter were not written to since they were made
  bool loaded = true;                            // see are_loaded()
  Index foreign = 0;                             // tensors in the groups that are no parameters of the model
};
Trained trained_parameters(const std::vector<Parameter>& model, std::span<const optim::ParamGroup> groups);

/// Reports "not_trained": parameters that the optimizer does not move. Those of another model in its groups, and those
/// that were left out, are a warning: nobody wants them. Frozen parameters are what fine-tuning wants: they are a note,
/// and a warning when they are most weights of a model whose weights were never written to since they were made, so
/// that nothing was loaded and what is frozen is random. So is a tenth of the weights that trains, as it was drawn, at
/// less than a thousandth of the highest rate: a group for loaded weights has a tenth or a hundredth, and random ones
/// hardly move at less.
std::optional<Anomaly> check_trained(const Trained& trained);
/// Whether the frozen parameters were written to since they were made, as loading and training do.
bool are_loaded(const std::vector<Parameter>& model);

/// Reports "lr_too_high" when the lr_scale of a group is above 30: groups have tenths or a few times the rate of
/// others.
std::optional<Anomaly> check_group_rates(std::span<const optim::ParamGroup> groups);

/// Reports the numbers of a rule that are outside of what is used:
///   "momentum_too_high"  momentum > 0.99: an update averages over more than 100 steps
///   "adam_betas"         beta1 > beta2, beta1 > 0.99 or beta2 < 0.9 (Kingma and Ba 2015 need beta1 < sqrt(beta2))
///   "adam_eps"           eps > 1e-4: where gradients are smaller than eps, the update is no longer scaled by them
std::vector<Anomaly> check_hyperparameters(const optim::Optimizer& optimizer);

/// How the optimizer applies weight decay: scaled of Adam, in_gradient of SGD, decoupled of AdamW.
Penalty penalty_of(const optim::Optimizer& optimizer);

/// Reports "clip_too_small" for a clip_norm below 1e-3. A rule that divides by the size of the gradient, as Adam does,
/// is hardly changed by clipping: for it this is a note, unless what is left of a gradient is about as small as eps.
/// For other rules one below 0.1, a tenth of what is usual, is reported too when all updates together cannot move the
/// weights by 30 % of their norm; with a usual one that is the fault of the rate.
/// weights: those that are trained. path: the sum of the rates of all steps; nothing when it is not known.
std::optional<Anomaly> check_clip(double clip_norm, const optim::Optimizer& optimizer,
                                  std::span<const Parameter> weights, std::optional<double> path = {});

}  // namespace handrail::train
