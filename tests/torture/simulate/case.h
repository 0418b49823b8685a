#pragma once

#include <cstdint>
#include <filesystem>

#include "torture/simulate/session.h"

namespace simulate {

/// Runs the case with that number in an empty directory: a run that nothing happens to, then the same one in several
/// sessions to which something does, and their comparison. Everything follows from the number. The first broken promise
/// is in the report. verbose: prints the plan of each session.
void run_case(std::uint64_t number, const std::filesystem::path& root, Report& report, Counts& counts, bool verbose);

}  // namespace simulate
