#pragma once

#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/result.h>

namespace handrail::train {

/// Trains as Run::fit does. With TrainerOptions::repair it then fits again with the fixes of the result, one after the
/// other, and keeps each that is better beyond noise: see there. Throws what fit throws, and OptionError when repair is
/// on without validation data.
FitResult fit_and_repair(const Program& program, const RunData& data);

}  // namespace handrail::train
