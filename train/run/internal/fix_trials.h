#pragma once

#include <vector>

#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/try_fix.h>

namespace handrail::train {

/// Does what Trainer::try_fix promises. The options of the program change only when a fix is kept. Model and info are
/// unchanged afterwards, also after an exception. Throws OptionError without validation data, for steps < 1, and for a
/// fix that makes the options invalid.
TryFixResult try_fixes(const Program& program, const RunData& data, const std::vector<Fix>& fixes,
                       const TryFixOptions& options);

}  // namespace handrail::train
