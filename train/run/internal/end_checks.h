#pragma once

#include <vector>

#include <handrail/train/checks/internal/data_review.h>
#include <handrail/train/run/loop/loop.h>

namespace handrail::train {

/// Judges a run that has ended well, with the weights that it leaves: GuardOptions::linear, evaluation, overfitting and
/// duration say which checks are made. review: what the rules about data found before. The model is unchanged
/// afterwards. What the program's own functions throw ends the checks, but not the run.
std::vector<Anomaly> judge_end(const Setup& setup, const Loop& loop, Stop& stop, const DataReview& review);

}  // namespace handrail::train
