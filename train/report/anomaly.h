#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace handrail::train {

/// What is to be done about a step; the gravest of several counts.
enum class Action {
  proceed,    // nothing
  skip,       // no update: parameters, buffers and moments stay as they were before the step
  reduce_lr,  // skip, and lower the rate for the rest of the run
  rollback,   // back to the last good state, at a lower rate
  stop,       // end training, with the last good state
};
const char* to_string(Action action);

/// How close an anomaly is to the cause of what goes wrong in a run: a diagnosis lists the closest first.
enum class Rank {
  setup,    // the data, the model or the loss, as they are before the first step
  bad_row,  // a sample with a value that is not finite
  blow_up,  // the loss, the gradients or the units are lost: mostly the learning rate
  pace,     // the learning rate is too low
  labels,   // the labels look random
  outcome,  // what was learnt does not generalise, or is no better than a constant
  symptom,  // what follows from one of the above
  remark,   // what need not be wrong
};

/// Something that went wrong, or that the user should know.
struct Anomaly {
  std::string name;        // "non_finite", "spike", "input_scale", ...
  std::int64_t step = 0;   // the optimizer step; 0 before the first
  std::string where = {};  // layer, op or row of data, when it is known
  std::string evidence;    // what was measured
  std::string cause;       // the likely one
  std::string remedy;      // one line to try
  Action action = Action::proceed;
  std::string details = {};  // more measurements, for whoever looks for the cause
  Rank rank = Rank::setup;
  double lr_factor = 0.5;  // what the rate is multiplied by from now on, when the action lowers it

  /// What happened, where, what is done about it and what to try, in one short line.
  std::string headline() const;
  /// All of it except the name and the step, in one long line.
  std::string text() const;
};

/// The anomalies as a diagnosis: the first of each name, in the order of their ranks, and in order of time within a
/// rank.
std::vector<Anomaly> diagnosis(std::span<const Anomaly> anomalies);

}  // namespace handrail::train
