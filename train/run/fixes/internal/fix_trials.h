#pragma once

#include <vector>

#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/try_fix.h>

namespace handrail::train {

/// Does what Trainer::try_fix promises. The options of the program change only when a fix is kept, and the model only
/// when one is kept after a fit that failed. Both are unchanged after an exception, and info always. Throws OptionError
/// without validation data, for steps < 1, and for a fix that makes the options invalid.
TryFixResult try_fixes(const Program& program, const RunData& data, const std::vector<Fix>& fixes,
                       const TryFixOptions& options);

}  // namespace handrail::train
