#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <handrail/train/report/events.h>

namespace handrail::train {

/// The limit where no line has to be shortened, such as in a file.
inline constexpr std::size_t unlimited_columns = static_cast<std::size_t>(-1);

/// What the live line of the console shows during an epoch.
struct StepProgress {
  Index epoch, epochs;   // from 1
  Index batch, batches;  // batches of the epoch, from 1
  double loss;
  std::optional<double> val_loss;  // of the last evaluation; absent before the first one
  double lr;
  double grad_norm;  // before clipping
  double samples_per_second;
  double seconds_left;  // until the end of the run
};

/// Writes the live line of a training step into `line`, at most `columns` columns wide. What does not fit is shortened
/// or left out, the least important part first: cells of the bar, samples per second, lr, the bar, the gradient norm,
/// the batch, the validation loss, the word "epoch", the time left. Makes no heap call when `line` has a capacity of
/// 256.
void progress_line(std::string& line, const StepProgress& progress, std::size_t columns);

/// The line of an epoch, at most `columns` columns wide. What does not fit is left out in this order: lr, the gradient
/// norm, the time, train_ metrics, the word "epoch". The losses and val_ metrics are never left out: where they do not
/// fit, the line is continued in an indented line. grad_norm: the mean over the updates of the epoch, if it is known.
/// best: whether the line is marked as that of the best evaluation.
std::string epoch_line(const EpochStats& stats, std::optional<double> grad_norm, Index epochs, bool best,
                       std::size_t columns);

/// The live line of an activity, at most `columns` columns wide: its name, a bar and the count. The bar is left out
/// first, then the count.
std::string activity_line(const Activity& activity, std::size_t columns);

/// A duration as 2:03, or as 1:02:03 from an hour on.
std::string clock_text(double seconds);

}  // namespace handrail::train
