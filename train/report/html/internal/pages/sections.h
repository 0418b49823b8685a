#pragma once

#include <string>

#include <handrail/train/report/html/internal/charts/chart.h>
#include <handrail/train/report/html/internal/pages/run_page.h>

namespace handrail::train::html {

// The sections of a page of a run, in their order. Each appends nothing when there is nothing to show.

/// The name of the run, how it ended, and its main figures.
void append_head(std::string& page, const RunPage& run);
/// The diagnosis: warnings, then notes.
void append_findings(std::string& page, const RunPage& run);
/// Losses, with the anomalies below on the same axis; rate and gradient norm.
void append_losses(std::string& page, const RunPage& run);
/// A row of marks for each name of an anomaly, on the axis of the steps.
void append_events(std::string& page, const RunPage& run, const Axis& x);
void append_rates(std::string& page, const RunPage& run);
/// The other figures of evaluations and epochs.
void append_metrics(std::string& page, const RunPage& run);
void append_confusion(std::string& page, const RunPage& run);
void append_layers(std::string& page, const RunPage& run);
void append_lr_finder(std::string& page, const RunPage& run);
/// Repairs, the second fit, and the calibration.
void append_afterwards(std::string& page, const RunPage& run);
/// Opt-outs, limits and defaults; then the machine and the files.
void append_settings(std::string& page, const RunPage& run);

// Parts that sections share.

constexpr int max_y_ticks = 6;  // of a chart
/// The axis of the steps so far.
Axis steps_of(const RunPage& run);
/// A lighter vertical line where a resumed run went on.
std::vector<Moment> resume_moment(const RunPage& run);
void append_heading(std::string& page, const char* level, const std::string& text);
void append_paragraph(std::string& page, const char* style, const std::string& text);
/// A row of a table: a header cell, then cells with numbers.
void append_row(std::string& page, const std::string& head, const std::vector<std::string>& cells);
/// The number with four digits; an en dash for NaN.
std::string figure_text(double value);
/// A duration: "42.1 s", "12:03", "3:04:05".
std::string duration_text(double seconds);

}  // namespace handrail::train::html
