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
/// Changes a batch of rows of the table after they were copied.
using BatchChange = std::function<void(const Table&, const train::Batch&)>;
/// A fault of a data set of the user's own that changes each batch.
Fault in_each_batch(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
                    const std::function<BatchChange(const Program&)>& change);
/// The loss of each row, [N, 1].
Tensor of_rows(const Program& p, const Tensor& y, const Tensor& t);
/// What of_rows needs to know of a program, for a lambda to keep.
Program kind_of(const Program& p);
/// Gives the program the rate as a function of the peak, the step and the planned steps.
void schedule(Program& p, const std::function<double(double lr, double step, double planned)>& rate);
/// Half a cosine from 1 at 0 to 0 at 1.
double half_cosine(double share);

}  // namespace faulty_runs
