#pragma once

#include <string_view>

namespace handrail::train {

/// Whether an anomaly named `effect` follows from one named `cause`, so that a diagnosis needs no entry of its own for
/// it: units that are dead because of the rate, for example.
bool explains(std::string_view cause, std::string_view effect);

/// Whether an anomaly of this name is a fault of the targets.
bool is_of_targets(std::string_view name);

/// Whether anomalies of these names are of the same part of a program: columns, targets, the split, the model or the
/// settings. Two of one part often have one cause.
bool share_a_subject(std::string_view a, std::string_view b);

}  // namespace handrail::train
