#pragma once

#include <map>
#include <set>
#include <string>

#include <handrail/train/run/options.h>

namespace handrail::train {

/// The command line of a training program, `--name value` or `--name=value`:
///
///   train::Arguments arguments(argc, argv);
///   const auto data = arguments.get("data", "mnist");              // options of its own first
///   const auto options = arguments.options({.epochs = 5});         // then those of the Trainer
///
/// knows --epochs --batch-size --accumulate-grad-batches --lr --warmup --weight-decay --clip-norm
/// --validation-split --patience --max-seconds --seed --threads, and --runs for the folder of the
/// checkpoints. Optional ones also take "off", --lr "auto".
class Arguments {
 public:
  /// Throws OptionError on an argument that is not of that form, or given twice.
  Arguments(int argc, const char* const* argv);

  /// The value of an option of the program's own.
  std::string get(const std::string& name, std::string otherwise);
  /// The defaults with the options given. Sets the number of threads. Throws OptionError listing every
  /// option that is unknown or has a value that does not parse; call it last.
  TrainerOptions options(TrainerOptions defaults);

 private:
  std::map<std::string, std::string> given_;
  std::set<std::string> known_;
};

}  // namespace handrail::train
