#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/off.h>
#include <handrail/core/scalar.h>

namespace handrail::train {

/// Checkpoints go to dir/name/NUMBER, a new number each run.
struct CheckpointOptions {
  std::filesystem::path dir = "runs";
  std::string name = {};                                  // of the run; the program's name when empty
  Index every_n_epochs = 1;                               // whichever of the three is sooner, but one a second at most
  std::optional<std::int64_t> every_n_steps = automatic;  // 10,000; a number given is kept to exactly
  double every_minutes = 15;
  Index keep_last = 5;  // and the best
};

/// For a run that goes on.
struct ResumeOptions {
  /// What may differ from when the run began, by the names that the error lists: {"epochs"} extends a run, {"build"}
  /// goes on with another compiler. The bits are not those of an uninterrupted run then.
  std::vector<std::string> allow = {};
};

}  // namespace handrail::train
