#pragma once

#include <string_view>

namespace handrail::train {

/// Whether an anomaly named `effect` follows from one named `cause`, so that a diagnosis needs no entry of its own for
/// it: units that are dead because of the rate, for example.
bool explains(std::string_view cause, std::string_view effect);

}  // namespace handrail::train
