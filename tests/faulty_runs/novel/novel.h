#pragma once

#include <vector>

#include "unseen/unseen.h"

namespace faulty_runs {

/// The faults of the part `novel`, in the order in which two are planted together.
std::vector<FaultGroup> novel();

std::vector<Fault> novel_data();
std::vector<Fault> novel_columns();
std::vector<Fault> novel_labels();
std::vector<Fault> novel_splits();
std::vector<Fault> novel_models();
std::vector<Fault> novel_layers();
std::vector<Fault> novel_gradients();
std::vector<Fault> novel_outputs();
std::vector<Fault> novel_losses();
std::vector<Fault> novel_optimizers();
std::vector<Fault> novel_schedules();
std::vector<Fault> novel_loops();

}  // namespace faulty_runs
