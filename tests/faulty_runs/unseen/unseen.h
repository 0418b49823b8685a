#pragma once

#include <vector>

#include "variants/variants.h"

namespace faulty_runs {

/// The faults of the part `unseen`, in the order in which two are planted together.
std::vector<FaultGroup> unseen();

std::vector<Fault> unseen_data();
std::vector<Fault> unseen_columns();
std::vector<Fault> unseen_labels();
std::vector<Fault> unseen_splits();
std::vector<Fault> unseen_models();
std::vector<Fault> unseen_layers();
std::vector<Fault> unseen_gradients();
std::vector<Fault> unseen_outputs();
std::vector<Fault> unseen_losses();
std::vector<Fault> unseen_optimizers();
std::vector<Fault> unseen_schedules();
std::vector<Fault> unseen_loops();

/// The number of classes of the labels.
double count_of_classes(const Program& p);
/// The share of the rows that come before this one.
double share(Index row, const Table& table);

}  // namespace faulty_runs
