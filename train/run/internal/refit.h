#pragma once

#include <filesystem>

#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/result.h>

namespace handrail::train {

/// Throws OptionError when TrainerOptions::refit is on and there are no held-out rows that a second fit could add.
/// validation_given: whether the program has a validation set of its own.
void check_refit(const TrainerOptions& options, bool validation_given);

/// With TrainerOptions::refit, trains a second time: see there. Otherwise returns `first`. The last run of the program
/// must be the one that `first` is the result of. all: the rows of training and validation. resumed: the options of
/// Trainer::resume; then the second fit continues from its checkpoints, if it has any. Throws what Run::fit throws; the
/// program has the weights of the first fit then.
FitResult refit(const Program& program, const Rows& all, FitResult first, const ResumeOptions* resumed = nullptr);

}  // namespace handrail::train
