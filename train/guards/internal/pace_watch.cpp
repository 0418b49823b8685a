#include <handrail/train/guards/internal/pace_watch.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/train/checks/internal/settings/optimizer_checks.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr double never_used = 100;         // times the default rate, or below it
constexpr std::int64_t max_updates = 200;  // after which a rate must have come near the usual ones
constexpr double nearly_none = 1e-3;       // of the highest rate
constexpr double floor_of_lr = 0.05;       // of the highest rate, which the floor of a schedule may be

}  // namespace

PaceWatch::PaceWatch(Index rows, const optim::Optimizer& optimizer)
    : rows_(rows), name_(optimizer.name()), default_lr_(optimizer.default_lr()), penalty_(penalty_of(optimizer)) {
  for (const optim::ParamGroup& group : optimizer.groups())
    groups_.push_back(
        {.name = group.name, .params = {}, .lr_scale = group.lr_scale, .weight_decay = group.weight_decay});
}

std::optional<Anomaly> PaceWatch::look(std::int64_t step, Index samples, std::int64_t updates, double lr) {
  if (updates > updates_) follow(updates, lr);
  std::optional<Anomaly> found = few_updates(step);
  ++looks_;
  samples_ += samples;
  if (!found) found = bad_rate(step);
  if (!found) found = slow_warmup(step);
  if (!found) found = ended_schedule(step);
  if (!found) found = strong_decay(step);
  return found;
}

void PaceWatch::follow(std::int64_t updates, double lr) {
  constexpr double tolerance = 0.02;
  const std::int64_t made = updates - updates_;
  if (updates_ > 0 && lr != rates_.last && stairs_.hold) {
    const double rise = lr - rates_.last;
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
  if (updates_ < max_updates / 2) rates_.at_half = lr;
  held_ = lr == rates_.last && lr < floor_of_lr * rates_.highest ? held_ + made : 0;
  updates_ = updates;
  rates_.last = lr;
  rates_.sum += static_cast<double>(made) * lr;
  rates_.highest = std::max(rates_.highest, lr);
  if (lr < nearly_none * rates_.highest) idle_ += made;
}

std::optional<Anomaly> PaceWatch::few_updates(std::int64_t step) {
  constexpr std::int64_t min_updates = 3, min_looks = 2;
  constexpr Index few_rows = 64;
  if (reported_.few || rows_ < few_rows || updates_ < min_updates) return std::nullopt;
  reported_.few = true;  // or looked at
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
  if (reported_.rate || updates_ == 0) return std::nullopt;
  constexpr double still_rises = 0.95;
  const bool high = rates_.highest > never_used * default_lr_;
  const bool low = updates_ >= max_updates && rates_.highest > 0 && rates_.highest <= default_lr_ / never_used &&
                   rates_.at_half >= still_rises * rates_.highest;
  if (!high && !low) return std::nullopt;
  reported_.rate = true;
  return Anomaly{.name = high ? "lr_too_high" : "lr_too_low",
                 .step = step,
                 .where = "loop",
                 .evidence = concat("the highest rate of ", counted(updates_, "update"), " is ",
                                    short_form(rates_.highest), "; usual for ", name_, " is ", short_form(default_lr_)),
                 .cause = concat("a learning rate that is too ", high ? "high" : "low"),
                 .remedy = concat("begin with ", short_form(default_lr_))};
}

std::optional<Anomaly> PaceWatch::slow_warmup(std::int64_t step) {
  constexpr std::int64_t min_rises = 12;
  if (reported_.rate || !stairs_.hold || stairs_.count < min_rises || rates_.last >= default_lr_) return std::nullopt;
  reported_.rate = true;
  return Anomaly{.name = "lr_too_low",
                 .step = step,
                 .where = "loop",
                 .evidence = concat("the rate rose ", stairs_.count, " times by ", short_form(stairs_.rise), ", to ",
                                    short_form(rates_.last)),
                 .cause = "a schedule that counts steps is given the number of the epoch, and stays in its warmup",
                 .remedy = "give the schedule the number of the step",
                 .details = concat("it rose once in ", stairs_.length, " updates; usual for ", name_, " is ",
                                   short_form(default_lr_))};
}

// Schedules that fall to 0 are so low for a few hundredths of a run, if they are made for it. One that stays at its
// floor for longer than all of it took has ended.
std::optional<Anomaly> PaceWatch::ended_schedule(std::int64_t step) {
  constexpr std::int64_t min_idle = 100;
  const bool at_floor = held_ > idle_;
  const std::int64_t idle = at_floor ? held_ : idle_;
  if (reported_.end || idle < min_idle || 2 * idle <= updates_) return std::nullopt;
  reported_.end = true;
  return Anomaly{
      .name = "schedule_ends_early",
      .step = step,
      .where = "loop",
      .evidence =
          at_floor ? concat("the rate stayed at ", short_form(100 * rates_.last / rates_.highest, 2),
                            " % of its highest in the last ", idle, " of ", counted(updates_, "update"))
                   : concat("the rate was below 0.1 % of its highest in ", idle, " of ", counted(updates_, "update")),
      .cause =
          "a schedule that is given something else than the step, such as the number of rows, or whose end "
          "is too early",
      .remedy = "give the schedule the step",
      .details = concat("the highest was ", short_form(rates_.highest))};
}

std::optional<Anomaly> PaceWatch::strong_decay(std::int64_t step) {
  constexpr std::int64_t min_updates = 30;
  if (reported_.decay || updates_ < min_updates) return std::nullopt;
  const double mean = rates_.sum / static_cast<double>(updates_);
  std::optional<Anomaly> found = check_weight_decay(groups_, {&mean, 1}, updates_, penalty_);
  if (!found) return std::nullopt;
  reported_.decay = true;
  found->step = step;
  return found;
}

}  // namespace handrail::train
