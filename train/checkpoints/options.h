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

/// Where and when a run writes checkpoints. A checkpoint is written when the first of the three limits, epochs, steps
/// or minutes since the last one, is reached.
struct CheckpointOptions {
  /// Each run writes to a new directory dir/name/NUMBER.
  std::filesystem::path dir = "runs";
  /// The name of the run: at most 100 letters, digits, '_', '-' and '.', not starting with '.'. An empty name stands
  /// for the name of the program.
  std::string name = {};
  /// Epochs between checkpoints. Checkpoints by this limit are at least a second apart.
  Index every_n_epochs = 1;
  /// Optimizer steps between checkpoints. `automatic`: 10,000 steps, but at least a second.
  OrAuto<std::int64_t> every_n_steps = automatic;
  /// Minutes between checkpoints.
  double every_minutes = 15;
  /// The number of newest checkpoints that are kept. The checkpoint of the best evaluation, and the one that the run
  /// was resumed from, are kept besides.
  Index keep_last = 5;
};

/// What is wrong with the name of a run, for OptionInfo::problem; empty when nothing is.
std::string name_problem(const std::string& name);

/// Calls visit(OptionInfo, value) for every field. All of them may differ when a run is resumed.
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
  visit({.name = "every_n_epochs", .help = "epochs between checkpoints", .range = {.min = 1}, .fixed = false},
        every_n_epochs);
  visit({.name = "every_n_steps", .help = "steps between checkpoints", .range = {.min = 1}, .fixed = false},
        every_n_steps);
  visit({.name = "every_minutes", .help = "minutes between checkpoints", .range = {.above = 0}, .fixed = false},
        every_minutes);
  visit({.name = "keep_last",
         .help = "the number of newest checkpoints that are kept",
         .range = {.min = 1},
         .hint = "checkpoints = off means none",
         .fixed = false},
        keep_last);
}

/// The options of Trainer::resume.
struct ResumeOptions {
  /// The names of the settings that may differ from those the run began with, as the error of resume lists them.
  /// {"epochs"} extends a run; {"build"} continues it with another compiler. The bits are then not those of an
  /// uninterrupted run.
  std::vector<std::string> allow = {};
};

}  // namespace handrail::train
