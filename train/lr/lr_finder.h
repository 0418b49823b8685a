#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/scalar.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// The sweep of a learning rate finder: how the rate grows, and how its curve is read.
struct LrFinderOptions {
  double start = 1e-7;
  double end = 1;       // for the Adam family; 10 for SGD
  Index steps = 200;    // optimizer updates, each at a rate of its own
  double bottom = 0.1;  // the share of the descent within which a loss counts as at its minimum; 0: the lowest alone
};

/// Throws OptionError with every violation.
void validate(const LrFinderOptions& options);

/// The run that a rate is wanted for.
struct PlannedRun {
  Index steps;    // optimizer updates
  Index samples;  // of an epoch
  Task task = Task::regression;
  bool plain_loss = true;  // the library's own loss for that task
};

/// The steps of the sweep before that run, which bound what it costs: a fifth of the planned steps, but at least 40,
/// below which a curve is hard to read, and at most 200.
Index sweep_steps(const PlannedRun& run);

/// One rate of a sweep.
struct LrPoint {
  double lr;
  double loss;      // which the update at this rate led to
  double smoothed;  // without lag; losses far above the first ones are cut off before
};

/// What a sweep says.
struct LrFinderResult {
  std::vector<LrPoint> curve;  // in order of the rates, up to where the loss diverged
  double initial_loss = std::numeric_limits<double>::quiet_NaN();  // a mean over the first, negligible rates
  double noise = 0;                                                // standard deviation of a loss between batches

  std::optional<double> suggestion = {};  // the peak rate to train with; nothing when no rate is usable
  // The rates of the readings of the smoothed loss; all but the last come with a suggestion only.
  std::optional<double> descent_start = {};  // from where to the minimum it is clearly below the initial loss
  std::optional<double> half_fall = {};      // from where to the minimum it has fallen by at least half
  std::optional<double> steepest = {};       // where it falls fastest, per decade
  std::optional<double> valley = {};         // two thirds into the longest stretch in which it only falls
  std::optional<double> minimum = {};        // where it is lowest
  std::optional<double> bottom_end = {};     // where it begins to rise: mostly the suggestion is a tenth of it
  std::optional<double> diverged_at = {};    // where it is above the initial loss again, or the sweep was stopped

  bool censored = false;        // the loss did not diverge: what higher rates do was not seen
  bool low_confidence = false;  // suggestion, steepest and valley lie more than a decade apart
  bool few_samples = false;     // the suggestion was read as for a small data set
  std::string note = {};        // why no rate is usable, or what to know of the one suggested

  /// The curve as text, loss over rate on a logarithmic axis, with marks for the readings; `width` columns
  /// (at least 40) and `height` rows (at least 5), axes included, and a legend. Empty without a curve.
  std::string draw(int width = 72, int height = 18) const;
};

/// Raises the rate step by step and judges the losses (Smith 2017, "Cyclical learning rates"): a pure
/// decider, fed by a training loop that puts everything back afterwards.
///
///   while (sweep.add(loss_of_next_batch())) update(sweep.lr());
///
/// Step i has the rate start (end / start)^(i / (steps - 1)). A loss is seen before the update of its step,
/// so it belongs to the rate of the step before. The curve is a running median of 5, averaged
/// exponentially forwards and backwards. It is usable when it falls by more than 4 standard errors and by
/// 2 % of the initial loss. The suggestion is a tenth of the rate at the end of the bottom, which is at
/// most half a decade above the minimum: the lowest point alone is read too early and scatters. Where the
/// tenth lies before the descent, it is the geometric mean of the descent's start and the minimum. It is
/// always below the rate at the minimum.
///
/// For a run with at most 800 samples the suggestion is read elsewhere. The sweep sees training losses only, and of few
/// samples they go on falling at rates at which a classifier memorises them. There the suggestion is
///   half_fall * (sweep steps / 200) * (400 / planned steps)^(3/4), at most half of the rate at the minimum:
/// the middle of the descent; a sweep of fewer steps gets there at higher rates, and a run of more steps needs a lower
/// rate to get as far. The mean squared error does not reward confidence: its suggestion is a seventh of the rate at
/// the end of the bottom, at most a tenth of `end`. A loss of the user's own is read as on larger data.
/// Measured in docs/lr_finder.md.
class LrSweep {
 public:
  /// Throws OptionError on options out of range.
  explicit LrSweep(const LrFinderOptions& options = {});

  /// The rate of the next update.
  double lr() const;
  /// Updates so far, and at most.
  Index steps_done() const { return std::max<Index>(0, std::ssize(losses_) - 1); }
  Index steps() const { return options_.steps; }
  /// Takes a loss of a training batch and returns whether to make the next update: no after the last
  /// rate, on a loss that is not finite, or, from the tenth update on, when the loss has diverged.
  bool add(double loss);
  /// For a gradient or parameter that is not finite: the loss added last counts as not finite either.
  void diverge();
  /// Of the losses so far, the suggestion for that run when one is given.
  LrFinderResult result(const std::optional<PlannedRun>& run = {}) const;

 private:
  double rate(Index i) const;
  bool has_diverged() const;

  LrFinderOptions options_;
  std::vector<double> losses_;  // the first before any update, number i + 1 after the one at rate(i)
  double ema_ = 0;
  double ema_weight_ = 0;
  double best_ = std::numeric_limits<double>::infinity();
  bool done_ = false;
  bool diverged_ = false;
};

}  // namespace handrail::train
