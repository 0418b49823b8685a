#pragma once

#include <handrail/nn/module.h>
#include <handrail/train/run/loop/stop.h>

namespace handrail::train {

/// Fits a temperature on the validation rows and divides the outputs of the model by it: see TrainerOptions::calibrate.
/// Throws Interrupted when a signal comes; the model is unchanged then.
Calibration calibrate(const Setup& setup, Stop& stop);

/// Divides the outputs of the last nn::Linear of the model by `divisor`: its weight and its bias. Returns false, and
/// changes nothing, when the model has none.
bool divide_last_linear(const nn::Module& model, double divisor);

}  // namespace handrail::train
