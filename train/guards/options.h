#pragma once

#include <array>
#include <concepts>
#include <type_traits>

#include <handrail/train/option/option.h>

namespace handrail::train {

/// What counts as a spike of the loss.
enum class SpikeRule {
  robust,      // far above the last losses by their mean, median and largest, see SpikeDetector
  documented,  // more than 10 times the mean of the last 100 losses
};
constexpr std::array<const char*, 2> names_of(SpikeRule) { return {"robust", "documented"}; }

/// When losses count as no longer falling.
enum class PlateauRule {
  confidence,  // even the optimistic bound of the slope is negligible, see PlateauGuard
  documented,  // the mean of 100 losses is not lower by 0.1 % than that of the 100 before
};
constexpr std::array<const char*, 2> names_of(PlateauRule) { return {"confidence", "documented"}; }

/// Guards watch every step or epoch. Each reports what it found, the likely cause and what to try; those that say so
/// also act.
struct GuardOptions {
  /// Keeps NaN and infinity out of parameters and moments: the step is skipped, then the rate is lowered.
  bool non_finite = true;
  /// Reports a loss far above those before it.
  bool spike = true;
  /// Restores the last good state after three spikes in a row, or when the loss is well above that of the beginning.
  bool divergence = true;
  /// Reports that the loss no longer falls by more than its noise.
  bool plateau = true;
  /// Reports a learning rate that is too low to get anywhere in the steps planned.
  bool slow_progress = true;
  /// Reports that validation worsens while training improves.
  bool overfitting = true;
  /// Reports that more than half of the steps are clipped.
  bool clip_pressure = true;
  /// Reports vanishing and exploding gradients and dead units by layer. Restores the last good state when all units of
  /// a layer have died.
  bool layers = true;
  /// Reports after training that the labels look random.
  bool labels = true;
  /// The rule of `spike` and `divergence`.
  SpikeRule spike_rule = SpikeRule::robust;
  /// The rule of `plateau`.
  PlateauRule plateau_rule = PlateauRule::confidence;
};

/// Calls visit(OptionInfo, value) for every field.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, GuardOptions>
void visit_options(Options& options, Visit&& visit) {
  auto& [non_finite, spike, divergence, plateau, slow_progress, overfitting, clip_pressure, layers, labels, spike_rule,
         plateau_rule] = options;
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
         .help = "report that more than half of the steps are clipped",
         .without = "gradients that are nearly always clipped are not reported"},
        clip_pressure);
  visit({.name = "layers",
         .help = "report vanishing and exploding gradients and dead units",
         .without = "vanishing and exploding gradients and dead units are not reported"},
        layers);
  visit({.name = "labels",
         .help = "report after training that labels look random",
         .without = "labels that look random are not reported"},
        labels);
  visit({.name = "spike_rule", .help = "what counts as a spike"}, spike_rule);
  visit({.name = "plateau_rule", .help = "what counts as a plateau"}, plateau_rule);
}

}  // namespace handrail::train
