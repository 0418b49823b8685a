#pragma once

#include <string>
#include <vector>

#include "faults/fault.h"
#include "outcome.h"

namespace faulty_runs {

/// What the library made of a faulty run.
enum class Verdict {
  refused,      // an exception names the fault
  prevented,    // no harm was done, and nothing named it
  first,        // the first anomaly of the diagnosis names it
  among_three,  // the second or the third does
  symptom,      // the first warning is an outcome or a symptom, and none of the first three anomalies names it
  wrong,        // the first warning is another cause, or an exception speaks of something else
  silent,       // harm was done, and there is no warning
  broken,       // the run crashed or took too long
};
inline constexpr int verdicts = 8;
/// The heading of its column.
const char* to_string(Verdict verdict);

/// Whether the run is worse than the healthy one, as Fault::harm says, by more than 0.02 and by more than two standard
/// errors, which come from the test rows: paired for a score, and also from the validation rows for a gap.
bool is_harmful(Harm harm, const Outcome& run, const Outcome& healthy);
Verdict judge(const Fault& fault, const Outcome& run, const Outcome& healthy);
/// Whether one of the first `count` anomalies names the fault.
bool names_it(const Fault& fault, const Outcome& run, std::size_t count);

}  // namespace faulty_runs
