#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tasks.h"

namespace faulty_runs {

/// The kinds of tasks that a fault can be planted in, as bits.
enum Needs : unsigned { multiclass = 1, binary = 2, regression = 4, classes = 3, any = 7 };

/// What a fault does its harm to. A run is harmful when its score on clean test rows is worse than that of the healthy
/// program, or, with `gap`, when the score that the run itself reports differs from that on clean test rows.
enum class Harm { score, gap };

/// A mistake that people make in programs that compile and run.
struct Fault {
  std::string name;
  std::string planted;              // what is wrong in the program, for the table in docs/faults.md
  std::vector<std::string> causes;  // the anomalies that name it
  std::function<void(Program&)> plant;
  unsigned needs = any;
  std::vector<std::string> refusal = {};  // words of which the message of a refusal has one
  Harm harm = Harm::score;
  bool own_loop = false;  // whether the program has a loop of its own
  bool alone = false;     // whether it cannot be planted together with another fault
  std::string subject = {};
  std::optional<Part> part = {};  // empty: dev or held out, by its name
};

std::vector<Fault> data_faults();
std::vector<Fault> column_faults();
std::vector<Fault> label_faults();
std::vector<Fault> split_faults();
std::vector<Fault> model_faults();
std::vector<Fault> layer_faults();
std::vector<Fault> output_faults();
std::vector<Fault> loss_faults();
std::vector<Fault> gradient_faults();
std::vector<Fault> optimizer_faults();
std::vector<Fault> schedule_faults();
std::vector<Fault> loop_faults();

/// Faults of one subject.
using FaultGroup = std::pair<std::string, std::vector<Fault>>;
/// The faults of the part `fresh`.
std::vector<FaultGroup> fresh_data_faults();
std::vector<FaultGroup> fresh_label_faults();
std::vector<FaultGroup> fresh_model_faults();
std::vector<FaultGroup> fresh_loss_faults();
std::vector<FaultGroup> fresh_training_faults();

/// A fault that is planted in a program with a loop of its own.
Fault in_own_loop(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
                  const std::function<void(OwnLoop&, Program&)>& plant, const std::vector<std::string>& refusal = {});
/// A fault that does harm by what the run reports: see Harm::gap.
Fault fault_of_reports(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
                       const std::function<void(Program&)>& plant, unsigned needs = any);
/// Gives the program SGD at this rate.
void sgd(Program& p, double lr, optim::SGDOptions options = {.momentum = 0.9});
/// Gives the program a loss of its own.
void own_loss(Program& p, const std::function<Tensor(const Tensor& y, const Tensor& t)>& loss);
/// Applies a function to the outputs of the model.
void output(Program& p, const std::function<Tensor(const Tensor&)>& f);
/// Appends a column that is `known(row of the table)` in training and validation, and noise when the model is in use.
void leak(Program& p, const std::function<double(const Table&, Index)>& known);
/// The gradient of the input of an op, from that of its output and the input.
using Slope = std::function<double(double gradient, double x)>;
/// Gives the program a model with this function as the only activation of its two hidden layers.
void with_activation(Program& p, const std::function<Tensor(const Tensor&)>& function, Index first = 40,
                     Index second = 40);
/// The same with an op of the user's own.
void with_op(Program& p, const std::function<double(double)>& value, const Slope& slope);

/// All faults with their subjects. Two of one part are planted together in this order: data before model before loss.
const std::vector<Fault>& faults();

bool fits(const Fault& fault, train::Task kind);

const char* to_string(Part part);
/// `fresh`, `variants`, `unseen`, `novel`, or else by the parity of the FNV-1a hash of the fault's name, folded to one
/// bit.
Part part_of_fault(const Fault& fault);
/// `fresh`, `variants`, `unseen`, `novel`, or else every second task of each kind, in the order of tasks(), is held
/// out.
Part part_of_task(const TaskKind& task);

}  // namespace faulty_runs
