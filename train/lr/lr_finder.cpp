#include <handrail/train/lr/lr_finder.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr std::size_t min_updates = 10;  // before the loss is checked for divergence
constexpr double max_loss = 1e150;       // arithmetic on larger losses may overflow

constexpr Index max_sweep_steps = LrFinderOptions{}.steps;

bool usable(double loss) { return std::abs(loss) <= max_loss; }  // false for NaN

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The median of each value and its two neighbours on either side, fewer at the ends.
std::vector<double> running_median5(std::span<const double> values) {
  std::vector<double> medians(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t first = i < 2 ? 0 : i - 2, last = std::min(values.size(), i + 3);
    std::vector<double> window(values.begin() + static_cast<std::ptrdiff_t>(first),
                               values.begin() + static_cast<std::ptrdiff_t>(last));
    medians[i] = median(window);
  }
  return medians;
}

// Replaces the values by their debiased exponential moving average.
void average_exponentially(std::span<double> values, double beta) {
  double sum = 0, weight = 0;
  for (double& value : values) {
    sum = beta * sum + (1 - beta) * value;
    weight = beta * weight + (1 - beta);
    value = sum / weight;
  }
}

// Averages forwards and then backwards, so that the result does not lag.
void average_both_ways(std::span<double> values, double beta) {
  average_exponentially(values, beta);
  std::ranges::reverse(values);
  average_exponentially(values, beta);
  std::ranges::reverse(values);
}

// The standard deviation of the loss between batches. It is computed from differences of neighbours, which a slow
// descent hardly changes. The largest tenth of them is left out because of spikes. A median would not notice a loss
// that alternates between two values.
double batch_noise(std::span<const double> losses) {
  std::vector<double> jumps;
  for (std::size_t i = 1; i < losses.size(); ++i) jumps.push_back(std::abs(losses[i] - losses[i - 1]));
  if (jumps.empty()) return 0;
  std::ranges::sort(jumps);
  jumps.resize(jumps.size() - jumps.size() / 10);
  constexpr double trimmed_mean = 0.6573;  // of |z| for a standard normal z, without the largest tenth
  return mean(jumps) / (trimmed_mean * std::sqrt(2.0));
}

// The smoothed curve of a sweep, and the readings of it.
struct Reading {
  std::vector<double> lr, y;  // y: the smoothed losses
  double initial;
  double threshold;         // a larger change of the loss is significant
  bool stopped;             // whether the sweep diverged at the last rate, which is then not a candidate
  std::size_t minimum = 0;  // the position of the lowest loss

  std::ptrdiff_t tried() const { return std::ssize(y) - (stopped ? 1 : 0); }
  double fall() const { return initial - y[minimum]; }
  // The first point from which on to the minimum the loss is clearly below the initial loss.
  std::size_t descent_start() const {
    std::size_t i = minimum;
    while (i > 0 && y[i - 1] < initial - threshold / 2) --i;
    return i;
  }
  // The first point from which on to the minimum the loss has made at least half of its fall.
  std::size_t half_fall() const {
    std::size_t i = minimum;
    while (i > 0 && y[i - 1] < initial - fall() / 2) --i;
    return i;
  }
  // The last point of the bottom. The bottom is flat and noise decides where on it the minimum is, mostly too early, so
  // that its end is a steadier reading. share: LrFinderOptions::bottom.
  std::size_t bottom_end(double share) const {
    std::size_t i = minimum;
    while (std::cmp_less(i + 1, tried()) && y[i + 1] <= y[minimum] + share * fall() &&
           lr[i + 1] <= std::sqrt(10.0) * lr[minimum])
      ++i;
    return i;
  }
  // The first point after the minimum where the loss is above its initial value again.
  std::optional<std::size_t> diverged() const {
    for (std::size_t i = minimum; i < y.size(); ++i)
      if (y[i] > initial + threshold / 2) return i;
    return std::nullopt;
  }
  // The point where the loss falls fastest. The points are evenly spaced in log lr, so that differences are slopes.
  std::size_t steepest(std::size_t first) const {
    std::size_t best = first;
    double slope = 0;
    for (std::size_t i = std::max<std::size_t>(first, 1); i < minimum; ++i)
      if (y[i + 1] - y[i - 1] < slope) {
        slope = y[i + 1] - y[i - 1];
        best = i;
      }
    return best;
  }
  // Two thirds into the longest stretch in which the loss only falls.
  std::size_t valley(std::size_t first) const {
    std::size_t begin = first, best_begin = first, best_length = 0;
    for (std::size_t i = first + 1; i <= minimum; ++i) {
      if (y[i] >= y[i - 1]) begin = i;
      if (i - begin > best_length) {
        best_begin = begin;
        best_length = i - begin;
      }
    }
    return best_begin + 2 * best_length / 3;
  }
};

bool few_samples(const PlannedRun& run) {
  constexpr Index max_samples = 800;
  return run.samples <= max_samples;
}

// The suggestion for a run with few samples, see LrSweep; nothing when the general rule applies.
std::optional<double> pick_for_few_samples(const LrFinderResult& result, const LrFinderOptions& options,
                                           const PlannedRun& run) {
  if (!few_samples(run)) return std::nullopt;
  if (run.task == Task::regression)
    return run.plain_loss ? std::optional(std::min(*result.bottom_end / 7, options.end / 10)) : std::nullopt;
  const double sweep_share = static_cast<double>(options.steps) / static_cast<double>(max_sweep_steps);
  const double more_steps = static_cast<double>(std::max<Index>(run.steps, 1)) / (2.0 * max_sweep_steps);
  return std::min(*result.half_fall * sweep_share * std::pow(more_steps, -0.75), *result.minimum / 2);
}

// What was read, raised a quarter of the way to the usual rate on a logarithmic axis; by a factor of three at most. A
// curve that shows a higher rate is believed: raw targets need one.
double towards_usual(double pick, double usual, double minimum) {
  constexpr double furthest = 3;
  const double raised = pick * std::clamp(std::pow(usual / pick, 0.25), 1.0, furthest);
  return std::min(raised, std::max(pick, minimum / 2));
}

std::string three_digits(double value) { return short_form(value, 3); }

void add_note(std::string& note, const std::string& text) { note += note.empty() ? text : "; " + text; }

std::string why_unusable(const Reading& r, const LrFinderResult& result) {
  const auto [low, high] = std::ranges::minmax(result.curve, {}, &LrPoint::loss);
  if (high.loss - low.loss <= 1e-7 * std::abs(r.initial))
    return concat("the loss stayed at ", three_digits(r.initial),
                  " at every rate: the gradient is zero; check that the loss depends on the parameters and that not "
                  "all units are dead");
  if (r.fall() > r.threshold)
    return concat("the loss was lowest at the first rate, ", three_digits(r.lr.front()),
                  ": start the sweep at a lower rate");
  const std::string what = concat("the loss started at ", three_digits(r.initial), " and fell by ",
                                  three_digits(std::max(0.0, r.fall())), " at most");
  const char* why = "the model has already converged, its gradient is nearly zero, or it learns too slowly for a sweep";
  if (r.threshold > 0.02 * std::abs(r.initial))
    return concat(what, "; noise between batches (standard deviation ", three_digits(result.noise),
                  ") can look like a fall of ", three_digits(r.threshold), ": ", why,
                  "; larger batches or more sweep steps lower the noise");
  return concat(what, ", less than 2 %",
                result.diverged_at ? concat(", before it rose again at lr ", three_digits(*result.diverged_at)) : "",
                ": ", why);
}

std::string why_too_short(std::size_t losses, bool diverged, double lr) {
  if (!diverged) return concat("the sweep ended after ", losses, " losses: want at least ", min_updates + 1);
  if (losses == 0)
    return "the loss or its gradient is not finite before any update: look for NaN or huge values in the data";
  return concat("the loss was not finite after ", losses, " updates, at lr ", three_digits(lr),
                ": start the sweep at a lower rate");
}

std::string what_to_know(const Reading& r, const LrFinderResult& result) {
  std::string note;
  if (result.few_samples && result.censored)
    add_note(note, concat("the loss did not diverge up to lr ", three_digits(r.lr.back()),
                          ": of few samples it falls on while the model memorises them"));
  else if (*result.bottom_end == r.lr.back())
    add_note(note, concat("the loss was still at its minimum at lr ", three_digits(r.lr.back()),
                          ", where the sweep ended: higher rates may do as well; raise `end` to see"));
  else if (result.censored)
    add_note(note, concat("the loss did not diverge up to lr ", three_digits(r.lr.back())));
  if (result.low_confidence)
    add_note(note, concat("readings of the curve lie more than a decade apart: suggestion ",
                          three_digits(*result.suggestion), ", steepest ", three_digits(*result.steepest), ", valley ",
                          three_digits(*result.valley), "; compare rates between them"));
  return note;
}

}  // namespace

void validate(const LrFinderOptions& o) {
  TextStream wrong;
  constexpr Index max_steps = 1'000'000;
  if (!(o.start > 0 && std::isfinite(o.start))) wrong << "\n  want start > 0; got " << o.start;
  if (!(o.end >= 10 * o.start && std::isfinite(o.end)))
    wrong << "\n  want end at least a decade above start, 10 * " << o.start << "; got " << o.end;
  if (o.steps < 20 || o.steps > max_steps) wrong << "\n  want steps in [20, " << max_steps << "]; got " << o.steps;
  if (!(o.bottom >= 0 && o.bottom <= 0.5)) wrong << "\n  want bottom in [0, 0.5]; got " << o.bottom;
  if (!wrong.str().empty()) fail<OptionError>("LrFinderOptions:", wrong.str());
}

Index sweep_steps(const PlannedRun& run) {
  constexpr Index min_sweep_steps = 40;
  return std::clamp<Index>(run.steps / 5, min_sweep_steps, max_sweep_steps);
}

double usual_lr(const PlannedRun& run) {
  constexpr double usual_steps = 1500, factor = 10;
  const double steps = static_cast<double>(std::max<Index>(run.steps, 1));
  return run.default_lr * std::clamp(factor * std::sqrt(usual_steps / steps), 1.0, 3 * factor);
}

LrSweep::LrSweep(const LrFinderOptions& options) : options_(options) { validate(options_); }

double LrSweep::rate(Index i) const {
  const double share = static_cast<double>(i) / static_cast<double>(options_.steps - 1);
  return i == options_.steps - 1 ? options_.end : options_.start * std::pow(options_.end / options_.start, share);
}

double LrSweep::lr() const { return rate(std::clamp<Index>(std::ssize(losses_) - 1, 0, options_.steps - 1)); }

bool LrSweep::add(double loss) {
  if (done_) return false;
  losses_.push_back(loss);
  if (!usable(loss)) {
    diverge();
    return false;
  }
  constexpr double beta = 0.9;
  ema_ = beta * ema_ + (1 - beta) * loss;
  ema_weight_ = beta * ema_weight_ + (1 - beta);
  best_ = std::min(best_, ema_ / ema_weight_);
  diverged_ = losses_.size() > min_updates && has_diverged();
  done_ = diverged_ || std::ssize(losses_) > options_.steps;
  return !done_;
}

// The average loss has diverged when it is above four times its lowest value. For losses near zero the fall so far and
// the noise set the limit.
bool LrSweep::has_diverged() const {
  const auto first = std::span(losses_).first(min_updates);
  const double max_rise = std::max({3 * std::abs(best_), 0.3 * (mean(first) - best_), 4 * batch_noise(first)});
  return ema_ / ema_weight_ - best_ > max_rise;
}

void LrSweep::diverge() {
  if (!losses_.empty()) losses_.back() = std::numeric_limits<double>::quiet_NaN();
  done_ = diverged_ = true;
}

LrFinderResult LrSweep::result(const std::optional<PlannedRun>& run) const {
  LrFinderResult result;
  std::span<const double> losses(losses_);
  if (!losses.empty() && !usable(losses.back())) losses = losses.first(losses.size() - 1);
  if (losses.size() <= min_updates) {
    for (std::size_t i = 1; i < losses.size(); ++i)
      result.curve.push_back({rate(static_cast<Index>(i) - 1), losses[i], losses[i]});
    result.note = why_too_short(losses.size(), diverged_, rate(std::max<Index>(std::ssize(losses) - 1, 0)));
    return result;
  }

  const auto steps = static_cast<double>(options_.steps);
  const auto num_initial = std::min(losses.size(), std::max<std::size_t>(20, static_cast<std::size_t>(steps / 5)));
  const double beta = 1 - std::min(0.5, 20 / steps);  // the average spans the same share of every sweep
  const std::vector<double> medians = running_median5(losses);
  Reading r{.lr = {}, .y = {medians.begin() + 1, medians.end()}, .initial = 0, .threshold = 0, .stopped = diverged_};
  r.initial = mean(std::span(medians).first(num_initial));
  result.noise = batch_noise(losses.first(num_initial));
  // The standard error of the difference between a point of the curve and the initial loss: their variances, times 2
  // because medians are less efficient than means. The 2 is from simulations, skewed noise included.
  const double curve_variance = (1 - beta) * (1 + beta * beta) / std::pow(1 + beta, 3);
  const double error = result.noise * std::sqrt(2 * (curve_variance + 1 / static_cast<double>(num_initial)));
  r.threshold = std::max(4 * error, 0.02 * std::abs(r.initial));

  // Losses are capped first, so that averaging does not spread an explosion to the rates before it.
  const double cut = r.initial + std::max(2 * r.threshold, (r.initial - std::ranges::min(r.y)) / 2);
  for (double& y : r.y) y = std::min(y, cut);
  average_both_ways(r.y, beta);
  for (std::size_t i = 0; i < r.y.size(); ++i) {
    r.lr.push_back(rate(static_cast<Index>(i)));
    result.curve.push_back({r.lr[i], losses[i + 1], r.y[i]});
  }
  r.minimum = static_cast<std::size_t>(std::min_element(r.y.begin(), r.y.begin() + r.tried()) - r.y.begin());
  result.initial_loss = r.initial;
  if (const auto diverged = r.diverged())
    result.diverged_at = r.lr[*diverged];
  else if (diverged_)
    result.diverged_at = rate(std::ssize(losses_) - 2);

  if (!(r.fall() > r.threshold) || r.minimum == 0) {
    result.note = why_unusable(r, result);
    return result;
  }
  const std::size_t start = r.descent_start();
  result.descent_start = r.lr[start];
  result.half_fall = r.lr[r.half_fall()];
  result.minimum = r.lr[r.minimum];
  result.bottom_end = r.lr[r.bottom_end(options_.bottom)];
  result.steepest = r.lr[r.steepest(start)];
  result.valley = r.lr[r.valley(start)];
  double pick = *result.bottom_end / 10;
  if (pick < *result.descent_start) pick = std::sqrt(*result.descent_start * *result.minimum);
  if (run)
    if (const auto few_samples_pick = pick_for_few_samples(result, options_, *run)) {
      pick = *few_samples_pick;
      result.few_samples = true;
    }
  if (run && run->default_lr > 0) pick = towards_usual(pick, usual_lr(*run), *result.minimum);
  result.suggestion = std::clamp(pick, r.lr.front(), r.lr[r.minimum - 1]);

  result.censored = !result.diverged_at;
  const auto [low, high] = std::minmax({*result.suggestion, *result.steepest, *result.valley});
  result.low_confidence = high > 10 * low;
  result.note = what_to_know(r, result);
  return result;
}

std::string LrFinderResult::draw(int width, int height) const {
  if (curve.empty()) return {};
  constexpr int label_width = 11;
  const int columns = std::max(width, 40) - label_width, rows = std::max(height, 5) - 3;
  const double left = std::log10(curve.front().lr), right = std::max(std::log10(curve.back().lr), left + 1e-3);
  const auto [lowest, highest] = std::ranges::minmax(curve, {}, &LrPoint::smoothed);
  const double bottom = lowest.smoothed;
  const double top = highest.smoothed > bottom ? highest.smoothed : bottom + std::max(1e-6, std::abs(bottom));
  const auto column = [&](double lr) {
    return static_cast<int>(std::lround((std::log10(lr) - left) / (right - left) * (columns - 1)));
  };
  const auto row = [&](double loss) {
    return static_cast<int>(std::lround((top - std::clamp(loss, bottom, top)) / (top - bottom) * (rows - 1)));
  };
  std::vector<std::string> canvas(static_cast<std::size_t>(rows), std::string(static_cast<std::size_t>(columns), ' '));
  const auto cell = [&](int r, int c) -> char& {
    return canvas[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)];
  };

  for (const LrPoint& point : curve) cell(row(point.loss), column(point.lr)) = '.';
  if (suggestion)
    for (int r = 0; r < rows; ++r) cell(r, column(*suggestion)) = ':';
  // The smoothed loss at a share of the axis, on which the points are equally spaced.
  const auto smoothed = [&](double share) {
    const double at = share * static_cast<double>(curve.size() - 1);
    const auto i = std::min(static_cast<std::size_t>(at), curve.size() - 1), next = std::min(i + 1, curve.size() - 1);
    return curve[i].smoothed + (at - static_cast<double>(i)) * (curve[next].smoothed - curve[i].smoothed);
  };
  for (int c = 0; c < columns; ++c) cell(row(smoothed(static_cast<double>(c) / (columns - 1))), c) = '*';

  std::string legend;
  const auto mark = [&](char letter, const char* name, std::optional<double> lr) {
    if (!lr) return;
    if (*lr <= curve.back().lr) {
      const int c = column(*lr);
      cell(row(smoothed(static_cast<double>(c) / (columns - 1))), c) = letter;
    }
    legend += concat(legend.empty() ? "" : "  ", letter, ' ', name, ' ', three_digits(*lr));
  };
  mark('D', "diverged", diverged_at);
  mark('M', "minimum", minimum);
  mark('X', "steepest", steepest);
  mark('S', "suggestion", suggestion);

  std::string text;
  for (int r = 0; r < rows; ++r) {
    const std::string label = r == 0          ? three_digits(top)
                              : r == rows - 1 ? three_digits(bottom)
                              : r == rows / 2 ? "loss"
                                              : "";
    text += std::string(static_cast<std::size_t>(std::max(0, label_width - 2 - static_cast<int>(label.size()))), ' ') +
            label + " |" + canvas[static_cast<std::size_t>(r)] + '\n';
  }
  std::string axis(static_cast<std::size_t>(columns), '-'), ticks(static_cast<std::size_t>(columns + label_width), ' ');
  std::size_t free_from = 0;
  for (int decade = static_cast<int>(std::ceil(left - 1e-9)); decade <= right + 1e-9; ++decade) {
    const int c = std::clamp(column(std::pow(10.0, decade)), 0, columns - 1);
    axis[static_cast<std::size_t>(c)] = '+';
    const std::string label = concat("1e", decade);
    const auto at = static_cast<std::size_t>(std::min(c, columns - static_cast<int>(label.size())) + label_width);
    if (at < free_from) continue;
    ticks.replace(at, label.size(), label);
    free_from = at + label.size() + 1;
  }
  ticks.replace(label_width - 4, 2, "lr");
  return concat(text, std::string(label_width - 1, ' '), '+', axis, '\n', ticks, '\n', legend, '\n');
}

}  // namespace handrail::train
