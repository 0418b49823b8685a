#pragma once

#include <optional>
#include <string>
#include <vector>

#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/report/events.h>
#include <handrail/train/run/fix.h>

namespace handrail::train {

/// The result of Trainer::fit and Trainer::resume.
struct FitResult : FitEnd {
  std::optional<LrFinderResult> lr_finder = {};  // when the LR finder chose the rate

  /// The exit status for main: 128 + the number of the signal when the run was interrupted, as shells report it; 1 when
  /// the last state could not be saved; otherwise 0.
  int exit_status() const;
  /// The anomalies as a diagnosis: one of each name, warnings before notes, and likely causes before their symptoms.
  /// See train::diagnosis.
  std::vector<Anomaly> diagnosis() const;
  /// The diagnosis as text, with one line for each anomaly and everything that was measured. Empty without anomalies.
  std::string diagnosis_text() const;
  /// The fixes that may help, those of the first anomaly of the diagnosis first: for Trainer::try_fix. Empty when there
  /// are no anomalies, or when the program has to be changed by hand.
  std::vector<Fix> fixes() const;
};

}  // namespace handrail::train
