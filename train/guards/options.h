#pragma once

#include <array>
#include <concepts>
#include <type_traits>

#include <handrail/train/option/option.h>

namespace handrail::train {

/// What counts as a spike of the loss.
enum class SpikeRule {
  robust,      // far above the mean, the median and the largest of the last losses: see SpikeDetector
  documented,  // more than 10 times the mean of the last 100 losses
};
/// The names of the rules in the order of their values: see option_text.
constexpr std::array<const char*, 2> names_of(SpikeRule) { return {"robust", "documented"}; }

/// When losses count as no longer falling.
enum class PlateauRule {
  confidence,  // the fall of the loss is negligible even at the optimistic bound of its slope: see PlateauGuard
  documented,  // the mean of 100 losses is less than 0.1 % below the mean of the 100 before them
};
/// The names of the rules in the order of their values: see option_text.
constexpr std::array<const char*, 2> names_of(PlateauRule) { return {"confidence", "documented"}; }

/// When clipping is reported.
enum class ClipRule {
  path,        // it makes the updates less than half as long, and the length of an update is that of the gradient
  documented,  // more than half of the last 100 gradients were clipped
};
/// The names of the rules in the order of their values: see option_text.
constexpr std::array<const char*, 2> names_of(ClipRule) { return {"path", "documented"}; }

/// Which guards watch a run. Each reports what it found, the likely cause and what to try. A guard acts on the training
/// only where its comment says so.
struct GuardOptions {
  /// Keeps NaN and infinity out of parameters and moments. A bad step is skipped; several in a row lower the rate, then
  /// restore the last good state, and end the training at last: see NonFiniteGuard.
  bool non_finite = true;
  /// Reports a loss far above those before it.
  bool spike = true;
  /// Restores the last good state after three spikes in a row, when the average loss is far above the initial one, or
  /// when most units of a layer are dead: see LossGuard and CollapseGuard.
  bool divergence = true;
  /// Reports that the loss no longer falls: see PlateauGuard.
  bool plateau = true;
  /// Reports a learning rate that is too low for the planned steps.
  bool slow_progress = true;
  /// Reports that validation worsens while training improves, and columns of noise that make it worse than training.
  bool overfitting = true;
  /// Reports that clipping changes the path of training: see ClipPressureGuard.
  bool clip_pressure = true;
  /// Reports vanishing and exploding gradients and dead units, with the name of the layer. Restores the last good state
  /// when a layer has lost all of its gradient.
  bool layers = true;
  /// Reports a monitored value that goes against the validation loss or never changes.
  bool monitor = true;
  /// Reports at the end that the loss was still falling, or falls again at a higher rate, and a patience that ended the
  /// run too soon.
  bool duration = true;
  /// Reports a loss that swings up and down instead of falling.
  bool oscillation = true;
  /// Reports that something else than the optimizer writes to the weights between steps.
  bool overwrites = true;
  /// Reports after training that evaluation differs from training.
  bool evaluation = true;
  /// Reports after training that a linear model of the same data is better.
  bool linear = true;
  /// Reports after training that the labels look random, or that the model is no better than a constant prediction.
  bool labels = true;
  /// The rule by which `spike` and `divergence` find spikes.
  SpikeRule spike_rule = SpikeRule::robust;
  /// The rule by which `plateau` decides.
  PlateauRule plateau_rule = PlateauRule::confidence;
  /// The rule by which `clip_pressure` decides.
  ClipRule clip_rule = ClipRule::path;
};

/// Calls visit(OptionInfo, value) for every field.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, GuardOptions>
void visit_options(Options& options, Visit&& visit) {
  auto& [non_finite, spike, divergence, plateau, slow_progress, overfitting, clip_pressure, layers, monitor, duration,
         oscillation, overwrites, evaluation, linear, labels, spike_rule, plateau_rule, clip_rule] = options;
  visit({.name = "non_finite",
         .help = "keep NaN and infinity out of parameters and moments",
         .without = "NaN may reach the parameters"},
        non_finite);
  visit({.name = "spike",
         .help = "report a loss far above those before it",
         .without = "spikes of the loss are not reported"},
        spike);
  visit({.name = "divergence",
         .help = "restore the last good state when training diverges",
         .without = "a run that diverges continues"},
        divergence);
  visit({.name = "plateau",
         .help = "report that the loss no longer falls",
         .without = "plateaus of the loss are not reported"},
        plateau);
  visit({.name = "slow_progress",
         .help = "report a learning rate that is too low for the steps planned",
         .without = "a learning rate that is too low is not reported"},
        slow_progress);
  visit({.name = "overfitting",
         .help = "report that validation worsens while training improves",
         .without = "overfitting is not reported"},
        overfitting);
  visit({.name = "clip_pressure",
         .help = "report that clipping changes the path of training",
         .without = "gradients that are nearly always clipped are not reported"},
        clip_pressure);
  visit({.name = "layers",
         .help = "report vanishing and exploding gradients and dead units",
         .without = "vanishing and exploding gradients and dead units are not reported"},
        layers);
  visit({.name = "monitor",
         .help = "report a monitored value that goes against val_loss or never changes",
         .without = "a monitored value with the wrong mode is not reported"},
        monitor);
  visit({.name = "duration",
         .help = "report a run that ends while it still learns",
         .without = "a run that ends while it still learns is not reported"},
        duration);
  visit({.name = "oscillation",
         .help = "report a loss that swings up and down",
         .without = "a loss that swings up and down is not reported"},
        oscillation);
  visit({.name = "overwrites",
         .help = "report writes to the weights besides the updates",
         .without = "writes to the weights besides the updates are not reported"},
        overwrites);
  visit({.name = "evaluation",
         .help = "report evaluations that are random or differ from training",
         .without = "evaluations that differ from training are not reported"},
        evaluation);
  visit({.name = "linear",
         .help = "report that a linear model is better",
         .without = "a model that is worse than a linear one is not reported"},
        linear);
  visit({.name = "labels",
         .help = "report after training that labels look random",
         .without = "labels that look random are not reported"},
        labels);
  visit({.name = "spike_rule", .help = "what counts as a spike"}, spike_rule);
  visit({.name = "plateau_rule", .help = "what counts as a plateau"}, plateau_rule);
  visit({.name = "clip_rule", .help = "when clipping is reported"}, clip_rule);
}

}  // namespace handrail::train
