#pragma once

#include <handrail/train/checks/options.h>

/// Options with all checks before the first step off.
inline handrail::train::CheckOptions no_checks() {
  handrail::train::CheckOptions none;
  visit_options(none, [](const handrail::OptionInfo&, bool& on) { on = false; });
  return none;
}
