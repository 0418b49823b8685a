#pragma once

#include <vector>

#include "faults/fault.h"

namespace faulty_runs {

/// The faults of the part `variants`, in the order in which two are planted together.
std::vector<FaultGroup> variants();

std::vector<Fault> value_variants();
std::vector<Fault> row_variants();
std::vector<Fault> column_variants();
std::vector<Fault> label_variants();
std::vector<Fault> split_variants();
std::vector<Fault> model_variants();
std::vector<Fault> initial_variants();
std::vector<Fault> layer_variants();
std::vector<Fault> mixing_variants();
std::vector<Fault> gradient_variants();
std::vector<Fault> output_variants();
std::vector<Fault> loss_variants();
std::vector<Fault> optimizer_variants();
std::vector<Fault> schedule_variants();
std::vector<Fault> loop_variants();

/// Calls edit(value, row) for every target.
void targets(Table& table, const std::function<void(Scalar&, Index)>& edit);
/// Calls edit(weight) for every element of the parameters with this end of their name.
void each_weight(const nn::Layer& model, const std::string& end, const std::function<void(Scalar&)>& edit);
/// Gives the program a training step that takes the loss of the outputs, the targets and the model in another way than
/// the validation does.
void train_with(
    Program& p,
    const std::function<Tensor(const nn::Layer& model, const Tensor& outputs, const Tensor& targets)>& loss);
/// Lets the model standardise its inputs by the training rows, as nn::Standardize does.
void standardise_first(Program& p);
/// SGD for a loop of the user's own.
void sgd(OwnLoop& loop, double momentum = 0.9);

}  // namespace faulty_runs
