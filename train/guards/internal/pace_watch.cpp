#include <handrail/train/guards/internal/pace_watch.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr double never_used = 100;         // times the default rate, or below it
constexpr std::int64_t max_updates = 500;  // after which a rate must have come near the usual ones
constexpr double nearly_none = 1e-3;       // of the highest rate

}  // namespace

std::optional<Anomaly> PaceWatch::look(std::int64_t step, Index samples, std::int64_t updates, double lr) {
  if (updates > updates_) follow(updates, lr);
  std::optional<Anomaly> found = few_updates(step);
  ++looks_;
  samples_ += samples;
  if (!found) found = bad_rate(step);
  if (!found) found = slow_warmup(step);
  if (!found) found = ended_schedule(step);
  return found;
}

void PaceWatch::follow(std::int64_t updates, double lr) {
  constexpr double tolerance = 0.02;
  const std::int64_t made = updates - updates_;
  if (updates_ > 0 && lr != lr_ && stairs_.hold) {
    const double rise = lr - lr_;
    if (stairs_.count == 0) {  // the first stair may be shorter
      stairs_.rise = rise;
    } else {
      if (stairs_.count == 1) stairs_.length = stairs_.made;
      stairs_.hold = stairs_.made == stairs_.length && stairs_.length > 1 &&
                     std::abs(rise - stairs_.rise) <= tolerance * stairs_.rise;
    }
    stairs_.hold = stairs_.hold && rise > 0;
    ++stairs_.count;
    stairs_.made = 0;
  }
  stairs_.made += made;
  if (updates_ < max_updates / 2) at_half_ = lr;
  updates_ = updates;
  lr_ = lr;
  highest_ = std::max(highest_, lr);
  if (lr < nearly_none * highest_) idle_ += made;
}

std::optional<Anomaly> PaceWatch::few_updates(std::int64_t step) {
  constexpr std::int64_t min_updates = 3, min_looks = 2;
  constexpr Index few_rows = 64;
  if (few_reported_ || rows_ < few_rows || updates_ < min_updates) return std::nullopt;
  few_reported_ = true;  // or looked at
  if (looks_ < min_looks * updates_ || 2 * samples_ < rows_ * updates_) return std::nullopt;
  return Anomaly{.name = "too_few_steps",
                 .step = step,
                 .where = "loop",
                 .evidence = concat(counted(updates_, "update"), " in ", looks_, " steps of the loop: one for ",
                                    samples_ / updates_, " of ", counted(rows_, "row")),
                 .cause =
                     "an update that stands after the loop over the batches, or gradients accumulated over too "
                     "many of them",
                 .remedy = "call optimizer.step() for each batch"};
}

std::optional<Anomaly> PaceWatch::bad_rate(std::int64_t step) {
  if (rate_reported_ || updates_ == 0) return std::nullopt;
  constexpr double still_rises = 0.95;
  const bool high = highest_ > never_used * default_lr_;
  const bool low = updates_ >= max_updates && highest_ > 0 && highest_ <= default_lr_ / never_used &&
                   at_half_ >= still_rises * highest_;
  if (!high && !low) return std::nullopt;
  rate_reported_ = true;
  return Anomaly{.name = high ? "lr_too_high" : "lr_too_low",
                 .step = step,
                 .where = "loop",
                 .evidence = concat("the highest rate of ", counted(updates_, "update"), " is ", short_form(highest_),
                                    "; usual for ", name_, " is ", short_form(default_lr_)),
                 .cause = concat("a learning rate that is too ", high ? "high" : "low"),
                 .remedy = concat("begin with ", short_form(default_lr_))};
}

std::optional<Anomaly> PaceWatch::slow_warmup(std::int64_t step) {
  constexpr std::int64_t min_rises = 12;
  if (rate_reported_ || !stairs_.hold || stairs_.count < min_rises || lr_ >= default_lr_) return std::nullopt;
  rate_reported_ = true;
  return Anomaly{.name = "lr_too_low",
                 .step = step,
                 .where = "loop",
                 .evidence = concat("the rate rose ", stairs_.count, " times by ", short_form(stairs_.rise), ", to ",
                                    short_form(lr_)),
                 .cause = "a schedule that counts steps is given the number of the epoch, and stays in its warmup",
                 .remedy = "give the schedule the number of the step",
                 .details = concat("it rose once in ", stairs_.length, " updates; usual for ", name_, " is ",
                                   short_form(default_lr_))};
}

// Schedules that fall to 0 are so low for a few hundredths of a run, if they are made for it.
std::optional<Anomaly> PaceWatch::ended_schedule(std::int64_t step) {
  constexpr std::int64_t min_idle = 100;
  if (end_reported_ || idle_ < min_idle || 2 * idle_ <= updates_) return std::nullopt;
  end_reported_ = true;
  return Anomaly{
      .name = "schedule_ends_early",
      .step = step,
      .where = "loop",
      .evidence = concat("the rate was below 0.1 % of its highest in ", idle_, " of ", counted(updates_, "update")),
      .cause =
          "a schedule that is given something else than the step, such as the number of rows, or whose end "
          "is too early",
      .remedy = "give the schedule the step",
      .details = concat("the highest was ", short_form(highest_))};
}

}  // namespace handrail::train
