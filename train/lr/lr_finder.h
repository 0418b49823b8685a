#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <handrail/core/scalar.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

/// Options of the learning rate finder: the range of rates that it sweeps, and how it reads the curve.
struct LrFinderOptions {
  double start = 1e-7;  // the lowest rate
  double end = 1;       // the highest rate, at least 10 * start; 1 suits the Adam family, 10 suits SGD
  Index steps = 200;    // optimizer updates, each at another rate; 20 to 1,000,000
  // The bottom of the curve reaches to where the loss has risen from its minimum by this share of its fall; 0 to 0.5.
  double bottom = 0.1;
};

/// Throws OptionError, listing every option that is out of range.
void validate(const LrFinderOptions& options);

/// The run that a learning rate is sought for.
struct PlannedRun {
  Index steps;                   // optimizer updates in all epochs
  Index samples;                 // training samples in an epoch
  Task task = Task::regression;  // decides which rule a set of few samples has
  bool plain_loss = true;        // whether the loss is one of the library's for the task, not the user's own
  double default_lr = 0;         // of the optimizer; 0: the suggestion is what is read from the curve alone
};

/// The rate that is usual for a run of so many steps, before anything is known of it: ten times the default of the
/// optimizer for 1,500 steps, with the inverse square root of the steps, and from once to thirty times the default.
double usual_lr(const PlannedRun& run);

/// How many steps the sweep before a run takes: a fifth of the planned steps, which limits its cost, but at least 40,
/// because a shorter curve is hard to read, and at most 200.
Index sweep_steps(const PlannedRun& run);

/// One learning rate of a sweep and its loss.
struct LrPoint {
  double lr;        // the rate of an update
  double loss;      // of the batch after the update at this rate
  double smoothed;  // smoothed loss; losses far above the initial loss are capped before smoothing
};

/// The result of a sweep: its curve, the rates read from it, and the suggestion.
struct LrFinderResult {
  std::vector<LrPoint> curve;  // in ascending order of the rates, up to where the loss diverged
  double initial_loss = std::numeric_limits<double>::quiet_NaN();  // mean over the first rates, which are negligible
  double noise = 0;                                                // standard deviation of the loss between batches

  std::optional<double> suggestion = {};  // the peak rate to train with; absent when no rate is usable
  // Rates read from the smoothed loss. All but diverged_at are absent when there is no suggestion.
  std::optional<double> descent_start = {};  // from here to the minimum the loss is clearly below the initial loss
  std::optional<double> half_fall = {};      // from here to the minimum the loss has made at least half of its fall
  std::optional<double> steepest = {};       // where the loss falls fastest, in loss per decade of the rate
  std::optional<double> valley = {};         // two thirds into the longest stretch in which the loss only falls
  std::optional<double> minimum = {};        // where the loss is lowest
  std::optional<double> bottom_end = {};     // where the loss begins to rise; mostly the suggestion is a tenth of it
  std::optional<double> diverged_at = {};  // where the loss is above its initial value again, or the sweep was stopped

  bool censored = false;        // whether the loss never diverged: what higher rates do is unknown
  bool low_confidence = false;  // whether suggestion, steepest and valley lie more than a decade apart
  bool few_samples = false;     // whether the suggestion follows the rules for at most 800 samples
  std::string note = {};        // why no rate is usable, or a remark on the suggestion; may be empty

  /// The curve as text: loss over rate, on a logarithmic axis, with letters at the rates read from it and a legend
  /// below. width: columns, at least 40; height: rows, at least 5; both include the axes. Empty without a curve.
  std::string draw(int width = 72, int height = 18) const;
};

/// Raises the learning rate step by step and reads from the losses which rate to train with (Smith 2017, "Cyclical
/// Learning Rates for Training Neural Networks"). It makes no update itself: a training loop passes it the losses, and
/// restores the model afterwards.
///
///   while (sweep.add(loss_of_next_batch())) update(sweep.lr());
///
/// Step i has the rate start (end / start)^(i / (steps - 1)). A loss is computed before the update of its step, so it
/// belongs to the rate of the step before.
///
/// | what | how it is read |
/// | --- | --- |
/// | smoothed loss | running median of 5, then averaged exponentially forwards and backwards |
/// | usable curve | falls by more than 4 standard errors and by more than 2 % of the initial loss |
/// | end of the bottom | see LrFinderOptions::bottom; at most half a decade above the minimum |
/// | suggestion | a tenth of the rate at the end of the bottom |
/// | if that is before the descent | the geometric mean of descent_start and minimum |
/// | classifier, <= 800 samples | half_fall * (sweep steps / 200) * (400 / planned steps)^(3/4), <= minimum / 2 |
/// | regression, <= 800 samples | a seventh of the rate at the end of the bottom, <= end / 10 |
/// | if below usual_lr(run) | suggestion^(3/4) usual^(1/4), <= minimum / 2, at most three times higher |
///
/// A suggestion is always below the rate at the minimum. A curve of 200 steps is a noisy witness, and the usual rate a
/// blunt one; both together are better than either. The end of the bottom is used because the lowest point alone
/// scatters and is mostly too early. Small data sets have rules of their own because a sweep sees training losses only,
/// and those go on falling while a model memorises few samples. A regression with a loss of the user's own follows the
/// rules for larger data. docs/lr_finder.md has the measurements.
class LrSweep {
 public:
  /// Starts a sweep. Throws OptionError on options out of range.
  explicit LrSweep(const LrFinderOptions& options = {});

  /// The learning rate of the next update.
  double lr() const;
  /// How many updates were made so far.
  Index steps_done() const { return std::max<Index>(0, std::ssize(losses_) - 1); }
  /// How many updates the whole sweep makes.
  Index steps() const { return options_.steps; }
  /// Adds the loss of the next training batch. Returns whether to make an update at lr(): false after the last rate, on
  /// a loss that is not finite, and, from the tenth update on, when the loss has diverged.
  bool add(double loss);
  /// Ends the sweep because a gradient or parameter is not finite. The loss added last then counts as not finite too.
  void diverge();
  /// Reads the curve of the losses added so far. The suggestion is for `run`; without it, it is for a run with many
  /// samples.
  LrFinderResult result(const std::optional<PlannedRun>& run = {}) const;

 private:
  double rate(Index i) const;
  bool has_diverged() const;

  LrFinderOptions options_;
  std::vector<double> losses_;  // losses_[0] is from before any update, losses_[i + 1] from after the update at rate(i)
  double ema_ = 0;
  double ema_weight_ = 0;
  double best_ = std::numeric_limits<double>::infinity();
  bool done_ = false;
  bool diverged_ = false;
};

}  // namespace handrail::train
