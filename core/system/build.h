#pragma once

#include <string>

namespace handrail {

/// The version of the library, as in "0.1.0".
const char* version();
/// What the bits of results depend on besides the program: compiler, instruction set, and the grid of the kernels.
std::string build_description();

}  // namespace handrail
