#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace handrail::train {

/// What is done about a step, from the mildest to the most severe. When several guards act, the most severe action
/// counts.
enum class Action {
  proceed,    // nothing
  skip,       // no update: parameters, buffers and the optimizer's state stay as they were before the step
  reduce_lr,  // skip, and multiply the learning rate by Anomaly::lr_factor for the rest of the run
  rollback,   // return to the last good state, and multiply the learning rate as reduce_lr does
  stop,       // end training with the last good state, from which a resume would continue
};
/// What is done, in words, such as "the step is skipped".
const char* to_string(Action action);

/// How close an anomaly is to the cause of what goes wrong in a run: a diagnosis lists the closest first.
enum class Rank {
  machine,  // a fault of memory or processor
  setup,    // the data, the model or the loss, as they are before the first step
  bad_row,  // a sample with a value that is not finite
  blow_up,  // a loss that diverges, values that are not finite, dead units: mostly caused by the learning rate
  pace,     // a learning rate that is too low
  labels,   // labels that look random
  outcome,  // a model that does not generalise or is no better than a constant, or a validation that looks too good
  symptom,  // a consequence of one of the above, such as a vanishing gradient
};

/// Whether something is lost: a diagnosis lists warnings before notes, and the console prints warnings only.
enum class Severity {
  warning,  // the result, or the time that it took, is probably worse for it
  note,     // good to know: nothing is lost
};

/// Something that went wrong in a run, or that the user should know: where, what was measured, and what to do.
struct Anomaly {
  std::string name;                 // "non_finite", "spike", "input_scale", ...
  std::int64_t step = 0;            // the optimizer step, from 1; 0 before the first step
  std::string where = {};           // layer, operation or row of data; empty when it is not known
  std::string evidence;             // what was measured
  std::string cause;                // the likely cause
  std::string remedy;               // what to try
  Action action = Action::proceed;  // what the guard asks for; in sinks and results what Recipe::on_anomaly answered
  std::string details = {};         // further measurements that help to find the cause
  Rank rank = Rank::setup;          // how close it is to the cause of other anomalies
  Severity severity = Severity::warning;  // an anomaly whose action is not Action::proceed becomes a warning
  double lr_factor = 0.5;  // in (0, 1]: what the learning rate is multiplied by when the action lowers it
  std::vector<std::string> effects = {};  // in a diagnosis: the names of the anomalies that follow from this one

  /// What is done about it, in words, such as "the step is skipped".
  std::string action_text() const;
  /// One short line: step, name, where, evidence, what is done about it, and what to try.
  std::string headline() const;
  /// One long line: where, evidence, details, cause, what is done about it, and what to try.
  std::string text() const;
};

/// A diagnosis: of each name the first warning, or the first note when there is no warning. Warnings come before notes;
/// each are sorted by rank, and within a rank in the order they came; of the warnings of rank setup, one of each part
/// of the program comes before a second one of the same part. An anomaly that follows from one of the warnings, such as
/// dead units from a learning rate that is too high, is among its effects instead; a note that explains a warning is a
/// warning here. anomalies: in order of time.
std::vector<Anomaly> diagnosis(std::span<const Anomaly> anomalies);
/// The diagnosis as text, with one line for each anomaly and everything that was measured. counts: how many there were
/// of each name. Empty without anomalies.
std::string diagnosis_text(std::span<const Anomaly> anomalies, const std::map<std::string, std::int64_t>& counts);

}  // namespace handrail::train
