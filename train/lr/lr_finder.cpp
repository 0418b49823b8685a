#include <handrail/train/lr/lr_finder.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <sstream>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>

namespace handrail::train {
namespace {

constexpr std::size_t first_check = 10;  // updates before a divergence is looked for
constexpr double largest_loss = 1e150;   // beyond which arithmetic on losses may overflow

constexpr Index full_sweep = LrFinderOptions{}.steps;

bool usable(double loss) { return std::abs(loss) <= largest_loss; }  // false for NaN

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Where the windows end, they shrink.
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

// Debiased by its own count, in place.
void average_exponentially(std::span<double> values, double beta) {
  double sum = 0, weight = 0;
  for (double& value : values) {
    sum = beta * sum + (1 - beta) * value;
    weight = beta * weight + (1 - beta);
    value = sum / weight;
  }
}

// Forwards and backwards, so that nothing is delayed.
void average_both_ways(std::span<double> values, double beta) {
  average_exponentially(values, beta);
  std::ranges::reverse(values);
  average_exponentially(values, beta);
  std::ranges::reverse(values);
}

// Standard deviation of losses between batches. From differences, which a slow descent does not touch; the
// largest tenth is left out for spikes, yet unlike a median it sees a loss that jumps between two values.
double batch_noise(std::span<const double> losses) {
  std::vector<double> jumps;
  for (std::size_t i = 1; i < losses.size(); ++i) jumps.push_back(std::abs(losses[i] - losses[i - 1]));
  if (jumps.empty()) return 0;
  std::ranges::sort(jumps);
  jumps.resize(jumps.size() - jumps.size() / 10);
  constexpr double trimmed_mean = 0.6573;  // of |z| for a standard normal z, without the largest tenth
  return mean(jumps) / (trimmed_mean * std::sqrt(2.0));
}

// The losses and rates of a sweep while they become a result.
struct Reading {
  std::vector<double> lr, y;  // y: the smoothed losses
  double initial;
  double threshold;  // a change above it is no noise
  bool stopped;      // by divergence at the last rate, which is no candidate however its loss came to be low
  std::size_t minimum = 0;

  std::ptrdiff_t tried() const { return std::ssize(y) - (stopped ? 1 : 0); }
  double fall() const { return initial - y[minimum]; }
  // The first point of the stretch before the minimum that is clearly below the initial loss.
  std::size_t descent_start() const {
    std::size_t i = minimum;
    while (i > 0 && y[i - 1] < initial - threshold / 2) --i;
    return i;
  }
  // The first point of the stretch before the minimum where the loss has fallen by half.
  std::size_t half_fall() const {
    std::size_t i = minimum;
    while (i > 0 && y[i - 1] < initial - fall() / 2) --i;
    return i;
  }
  // The bottom is flat and noise decides where on it the minimum is, mostly early: its end is a steadier reading.
  std::size_t bottom_end(double share) const {
    std::size_t i = minimum;
    while (std::cmp_less(i + 1, tried()) && y[i + 1] <= y[minimum] + share * fall() &&
           lr[i + 1] <= std::sqrt(10.0) * lr[minimum])
      ++i;
    return i;
  }
  // Above the initial loss again, after the minimum.
  std::optional<std::size_t> lost() const {
    for (std::size_t i = minimum; i < y.size(); ++i)
      if (y[i] > initial + threshold / 2) return i;
    return std::nullopt;
  }
  // The points are evenly spaced in log lr, so that a difference is a slope.
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
  constexpr Index most_samples = 800;
  return run.samples <= most_samples;
}

// As the comment of LrSweep says; nothing for a run that is read as any other.
std::optional<double> pick_for_few_samples(const LrFinderResult& result, const LrFinderOptions& options,
                                           const PlannedRun& run) {
  if (!few_samples(run)) return std::nullopt;
  if (run.task == Task::regression)
    return run.plain_loss ? std::optional(std::min(*result.bottom_end / 7, options.end / 10)) : std::nullopt;
  const double sweep_share = static_cast<double>(options.steps) / static_cast<double>(full_sweep);
  const double more_steps = static_cast<double>(std::max<Index>(run.steps, 1)) / (2.0 * full_sweep);
  return std::min(*result.half_fall * sweep_share * std::pow(more_steps, -0.75), *result.minimum / 2);
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
  if (!diverged) return concat("the sweep ended after ", losses, " losses: want at least ", first_check + 1);
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
  std::ostringstream wrong;
  constexpr Index most_steps = 1'000'000;
  if (!(o.start > 0 && std::isfinite(o.start))) wrong << "\n  want start > 0; got " << o.start;
  if (!(o.end >= 10 * o.start && std::isfinite(o.end)))
    wrong << "\n  want end at least a decade above start, 10 * " << o.start << "; got " << o.end;
  if (o.steps < 20 || o.steps > most_steps) wrong << "\n  want steps in [20, " << most_steps << "]; got " << o.steps;
  if (!(o.bottom >= 0 && o.bottom <= 0.5)) wrong << "\n  want bottom in [0, 0.5]; got " << o.bottom;
  if (!wrong.str().empty()) fail<OptionError>("LrFinderOptions:", wrong.str());
}

Index sweep_steps(const PlannedRun& run) {
  constexpr Index shortest_sweep = 40;
  return std::clamp<Index>(run.steps / 5, shortest_sweep, full_sweep);
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
  diverged_ = losses_.size() > first_check && has_diverged();
  done_ = diverged_ || std::ssize(losses_) > options_.steps;
  return !done_;
}

// Four times the lowest, where that is far from zero; near zero the fall and the noise say what is much.
bool LrSweep::has_diverged() const {
  const auto first = std::span(losses_).first(first_check);
  const double much = std::max({3 * std::abs(best_), 0.3 * (mean(first) - best_), 4 * batch_noise(first)});
  return ema_ / ema_weight_ - best_ > much;
}

void LrSweep::diverge() {
  if (!losses_.empty()) losses_.back() = std::numeric_limits<double>::quiet_NaN();
  done_ = diverged_ = true;
}

LrFinderResult LrSweep::result(const std::optional<PlannedRun>& run) const {
  LrFinderResult result;
  std::span<const double> losses(losses_);
  if (!losses.empty() && !usable(losses.back())) losses = losses.first(losses.size() - 1);
  if (losses.size() <= first_check) {
    for (std::size_t i = 1; i < losses.size(); ++i)
      result.curve.push_back({rate(static_cast<Index>(i) - 1), losses[i], losses[i]});
    result.note = why_too_short(losses.size(), diverged_, rate(std::max<Index>(std::ssize(losses) - 1, 0)));
    return result;
  }

  const auto steps = static_cast<double>(options_.steps);
  const auto quiet = std::min(losses.size(), std::max<std::size_t>(20, static_cast<std::size_t>(steps / 5)));
  const double beta = 1 - std::min(0.5, 20 / steps);  // so that the average spans the same share of any sweep
  const std::vector<double> medians = running_median5(losses);
  Reading r{.lr = {}, .y = {medians.begin() + 1, medians.end()}, .initial = 0, .threshold = 0, .stopped = diverged_};
  r.initial = mean(std::span(medians).first(quiet));
  result.noise = batch_noise(losses.first(quiet));
  // Variance of a point of the curve, of the mean it is compared with, and 2 for what the medians cost, skewed
  // noise included (by simulation).
  const double curve_variance = (1 - beta) * (1 + beta * beta) / std::pow(1 + beta, 3);
  const double error = result.noise * std::sqrt(2 * (curve_variance + 1 / static_cast<double>(quiet)));
  r.threshold = std::max(4 * error, 0.02 * std::abs(r.initial));

  // An explosion must not reach through the average to the rates before it.
  const double cut = r.initial + std::max(2 * r.threshold, (r.initial - std::ranges::min(r.y)) / 2);
  for (double& y : r.y) y = std::min(y, cut);
  average_both_ways(r.y, beta);
  for (std::size_t i = 0; i < r.y.size(); ++i) {
    r.lr.push_back(rate(static_cast<Index>(i)));
    result.curve.push_back({r.lr[i], losses[i + 1], r.y[i]});
  }
  r.minimum = static_cast<std::size_t>(std::min_element(r.y.begin(), r.y.begin() + r.tried()) - r.y.begin());
  result.initial_loss = r.initial;
  if (const auto lost = r.lost())
    result.diverged_at = r.lr[*lost];
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
    if (const auto careful = pick_for_few_samples(result, options_, *run)) {
      pick = *careful;
      result.few_samples = true;
    }
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
  // The smoothed loss at any rate: the points have equal distances on this axis.
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
