#pragma once

#include <vector>

#include <handrail/train/run/loop/loop.h>

namespace handrail::train {

/// Judges a run that has ended well, with the weights that it leaves: GuardOptions::linear, evaluation and duration say
/// which checks are made. The model is unchanged afterwards. What the program's own functions throw ends the checks,
/// but not the run.
std::vector<Anomaly> judge_end(const Setup& setup, const Loop& loop, Stop& stop);

}  // namespace handrail::train
