#pragma once

#include <vector>

#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/try_fix.h>

namespace handrail::train {

/// What Trainer::try_fix promises. The options of the program change only when a fix is kept; exceptions or not, model
/// and model_info are as before. Throws OptionError without validation data, on steps < 1, and on a fix that makes the
/// options wrong.
TryFixResult try_fixes(const Program& program, const RunData& data, const std::vector<Fix>& fixes,
                       const TryFixOptions& options);

}  // namespace handrail::train
