#pragma once

#include <string>

namespace handrail {

/// The version of the library, such as "0.1.0".
const char* version();
/// Everything of this build and machine that the bits of results depend on, as text: the compiler, the instruction set
/// and the chunk size of the kernels.
std::string build_description();

}  // namespace handrail
