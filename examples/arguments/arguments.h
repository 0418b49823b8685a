#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/result.h>

namespace CLI {
class App;
}

/// The command line of an example, `--name value` or `--name=value`:
///
///   Arguments arguments(argc, argv);
///   const auto data = arguments.get("data", "mnist", "folder of the data");  // options of its own first
///   const auto options = arguments.options({.epochs = 5});                   // then those of the Trainer
///
/// Every option of TrainerOptions that can be written as text is one of the command line: clip_norm is --clip-norm,
/// guards.spike is --guards-spike. They take "off" and "auto" where the field takes `off` and `automatic`. Besides
/// there are --threads, --runs for the folder of all runs, or "off" for no checkpoints, and --help.
class Arguments {
 public:
  Arguments(int argc, const char* const* argv);
  ~Arguments();

  /// The value of an option of the program's own. Throws OptionError when it is given without a value, or twice.
  std::string get(const std::string& name, std::string otherwise, const std::string& help);
  /// The directory of a run to continue, --resume DIR; empty to begin a new one: see fit_or_resume.
  std::string run_to_resume();
  /// The defaults with what the command line gives, validated. Sets the number of threads. Throws OptionError listing
  /// every option that is unknown or has a value of another kind, and Help when that is asked for. Call it last, once.
  handrail::train::TrainerOptions options(handrail::train::TrainerOptions defaults);

  /// What --help prints.
  struct Help : handrail::Error {
    using Error::Error;
  };

 private:
  std::unique_ptr<CLI::App> app_;
  std::vector<std::string> given_;  // in reverse order, as CLI11 wants them
};

/// Trains on the data, or continues the run of a directory unless that is empty.
template <class Trainer, class Data>
handrail::train::FitResult fit_or_resume(Trainer& trainer, const Data& data, const std::string& run_dir) {
  return run_dir.empty() ? trainer.fit(data) : trainer.resume(run_dir, data);
}

/// Reports what ended a program. Prints the text and returns the exit status: 0 for Help, 2 for an OptionError, else 1.
int exit_status(const char* program, const std::exception& error);
