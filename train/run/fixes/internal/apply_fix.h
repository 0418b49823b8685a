#pragma once

#include <handrail/train/run/fix.h>
#include <handrail/train/run/internal/setup.h>

namespace handrail::train {

/// Makes the changes of a fix to the model of a program. Returns false when it has none to make.
bool change_model(const Fix& fix, const Program& program, const Rows& training_rows);
/// The rate in the options after a fix that sets none.
enum class RateAfterFix {
  in_use,    // the one in use
  as_before  // as it was before the fix: left to the LR finder, when it was
};
/// Applies a fix to the options and the model of a program. lr: the peak rate in use. Returns false when the fix
/// changes nothing. Throws OptionError when it makes the options invalid.
bool apply_fix(const Fix& fix, const Program& program, const Rows& training_rows, double lr, RateAfterFix rate);

}  // namespace handrail::train
