#pragma once

#include <cstdint>
#include <string>

namespace handrail::train {

/// With the thousands apart: 54,000.
std::string grouped(std::int64_t value);

}  // namespace handrail::train
