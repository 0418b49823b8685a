#pragma once

namespace handrail::train {

/// Watch every step or epoch; each reports what it found, why, and what to try.
struct GuardOptions {
  bool non_finite = true;     // NaN and infinity never reach parameters or moments
  bool spike = true;          // a loss far above those before
  bool divergence = true;     // three spikes in a row, or a loss well above the first: rolls back
  bool plateau = true;        // no progress beyond noise
  bool slow_progress = true;  // a rate too low to get anywhere in the steps planned
  bool overfitting = true;    // validation worsens while training improves
  bool clip_pressure = true;  // more than half of the steps are clipped
  bool layers = true;         // vanishing and exploding gradients, dead units, by layer
  bool labels = true;         // after training: labels that look random
};

}  // namespace handrail::train
