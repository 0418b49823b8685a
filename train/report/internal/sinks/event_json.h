#pragma once

#include <string>

#include <handrail/train/report/events.h>

namespace handrail::train {

// Events as JSON, one object in one line, without the line end. Field names are those of the structs in
// train/report/events.h, unless the guide on logging says otherwise. NaN and infinity are null, because JSON has
// neither; bytes that are not UTF-8 become U+FFFD. The first fields are "event", as given, and "time", in seconds since
// 1970.

std::string json_of(const FitStart& event);
std::string json_of(const TrainStart& event);
/// samples_per_second: since the step that was logged before.
std::string json_of(const StepStats& event, double samples_per_second);
std::string json_of(const LayerReport& event);
std::string json_of(const EvaluationStats& event);
std::string json_of(const EpochStats& event);
std::string json_of(const Anomaly& event);
std::string json_of(const RepairAttempt& event);
std::string json_of(const Refit& event);
std::string json_of(const PartEnd& event);
std::string json_of(const FitEnd& event);

/// An object with a field for each figure, such as {"val/loss": 0.25}.
std::string json_of_figures(const std::vector<MetricValue>& figures);
/// An object with a field for each line of a summary.
std::string json_of_summary(const std::vector<SummaryItem>& summary);

}  // namespace handrail::train
