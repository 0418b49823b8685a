#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

#include <handrail/core/scalar.h>
#include <handrail/train/option/option.h>

namespace handrail::train {

/// Where and when a run writes checkpoints. One is due when the first of the three limits is reached.
struct CheckpointOptions {
  /// Each run writes to a new directory dir/name/NUMBER.
  std::filesystem::path dir = "runs";
  /// The name of the run, of at most 100 letters, digits, '_', '-' and '.'; empty for that of the program.
  std::string name = {};
  /// Epochs between checkpoints. When they last less than a second, a checkpoint is due once a second has passed.
  Index every_n_epochs = 1;
  /// Optimizer steps between checkpoints, kept to exactly. `automatic`: 10,000, but at least a second.
  OrAuto<std::int64_t> every_n_steps = automatic;
  /// Minutes between checkpoints.
  double every_minutes = 15;
  /// The number of newest checkpoints that are kept. That of the best evaluation is kept besides.
  Index keep_last = 5;
};

/// What is wrong with the name of a run; empty when nothing is.
std::string name_problem(const std::string& name);

/// Calls visit(OptionInfo, value) for every field. The three limits are fixed, because a checkpoint is also a state
/// that a run goes back to when it diverges.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, CheckpointOptions>
void visit_options(Options& options, Visit&& visit) {
  auto& [dir, name, every_n_epochs, every_n_steps, every_minutes, keep_last] = options;
  visit({.name = "dir", .help = "the folder of all runs", .fixed = false}, dir);
  visit({.name = "name",
         .help = "the name of the run; empty for that of the program",
         .problem = name_problem(name),
         .fixed = false},
        name);
  visit({.name = "every_n_epochs", .help = "epochs between checkpoints", .range = {.min = 1}}, every_n_epochs);
  visit({.name = "every_n_steps", .help = "steps between checkpoints", .range = {.min = 1}}, every_n_steps);
  visit({.name = "every_minutes", .help = "minutes between checkpoints", .range = {.above = 0}}, every_minutes);
  visit({.name = "keep_last",
         .help = "the number of newest checkpoints that are kept",
         .range = {.min = 1},
         .hint = "checkpoints = off means none",
         .fixed = false},
        keep_last);
}

/// For a run that is resumed.
struct ResumeOptions {
  /// What may differ from when the run began, by the names that the error lists: {"epochs"} extends a run, {"build"}
  /// continues it with another compiler. The bits are then not those of an uninterrupted run.
  std::vector<std::string> allow = {};
};

}  // namespace handrail::train
