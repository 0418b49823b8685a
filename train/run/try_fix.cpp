#include <handrail/train/run/try_fix.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/files/text.h>
#include <handrail/train/math/robust.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {

namespace fixes {

Fix lower_lr(double factor) {
  return {concat("lr/", factor), [factor](TrainerOptions& o) { o.lr = *o.lr / factor; }};
}
Fix higher_lr(double factor) {
  return {concat("lr*", factor), [factor](TrainerOptions& o) { o.lr = *o.lr * factor; }};
}
Fix clip_norm(double norm) {
  return {concat("clip ", norm), [norm](TrainerOptions& o) { o.clip_norm = norm; }};
}
Fix longer_warmup(double factor) {
  return {concat("warmup*", factor), [factor](TrainerOptions& o) {
            o.warmup = std::min(0.5, o.warmup.value_or(0.05) * factor);
            o.check_warmup = off;
          }};
}
Fix weight_decay(double decay) {
  return {concat("decay ", decay), [decay](TrainerOptions& o) { o.weight_decay = decay; }};
}
Fix batch_size(Index size) {
  return {concat("batch ", size), [size](TrainerOptions& o) { o.batch_size = size; }};
}

}  // namespace fixes

std::string TryFixResult::text() const {
  std::string text =
      "arm              train before  after     validation before  after     difference (95 % interval)\n";
  for (const TryFixArm& arm : arms) {
    const auto signed_form = [](double value) { return concat(value < 0 ? "" : "+", four_digits(value)); };
    std::array<char, 300> line;
    std::snprintf(line.data(), line.size(), "%-16s %12s  %-9s %17s  %-9s %s (%s to %s)%s\n", arm.name.c_str(),
                  four_digits(arm.train_before).c_str(), four_digits(arm.train_after).c_str(),
                  four_digits(arm.validation_before).c_str(), four_digits(arm.validation_after).c_str(),
                  signed_form(arm.difference).c_str(), signed_form(arm.difference_low).c_str(),
                  signed_form(arm.difference_high).c_str(), arm.finite ? "" : ", steps were skipped");
    text += line.data();
  }
  return text + (kept.empty() ? "no fix is a statistically significant improvement: the options are unchanged\n"
                              : "kept: " + kept + "\n");
}

namespace {

// The mean of now - reference over the same groups of samples, with its 95 % interval. A loss that is no
// number is worse than any.
void compare(const std::vector<double>& reference, const std::vector<double>& now, TryFixArm& arm) {
  const auto is_bad = [](double loss) { return !is_finite(loss); };
  const bool was_bad = std::ranges::any_of(reference, is_bad), is_bad_now = std::ranges::any_of(now, is_bad);
  if (was_bad || is_bad_now || reference.size() != now.size()) {
    arm.difference = was_bad == is_bad_now ? std::numeric_limits<double>::quiet_NaN() : was_bad ? -HUGE_VAL : HUGE_VAL;
    arm.difference_low = arm.difference_high = arm.difference;
    return;
  }
  std::vector<double> differences(now.size());
  std::ranges::transform(now, reference, differences.begin(), std::minus());
  const auto [mean, error] = moments(differences);
  const double half = now.size() < 2 ? HUGE_VAL : 1.96 * error;
  arm.difference = mean;
  arm.difference_low = arm.difference - half;
  arm.difference_high = arm.difference + half;
}

}  // namespace

TryFixResult Trainer::try_fix(const Dataset& train, const std::vector<Fix>& fixes, const TryFixOptions& options) {
  RunData data = split(train);
  if (data.stratify) stratify(data);
  return try_fix(data, fixes, options);
}

TryFixResult Trainer::try_fix(const Dataset& train, const Dataset& validation, const std::vector<Fix>& fixes,
                              const TryFixOptions& options) {
  return try_fix(given(train, validation), fixes, options);
}

// What verify_fixes = off asks for.
TryFixResult Trainer::take_first(const std::vector<Fix>& fixes) {
  if (fixes.empty()) return {};
  TrainerOptions changed = options_;
  if (known_good_) {  // the rate in use, as it is
    changed.lr = known_good_->decisions.lr;
    changed.lr_scaling = LrScaling::none;
  } else if (!changed.lr) {
    changed.lr = configure_optimizer()->default_lr();
  }
  fixes.front().change(changed);
  validate(changed);
  options_ = std::move(changed);
  return {.arms = {}, .kept = fixes.front().name};
}

TryFixResult Trainer::try_fix(const RunData& data, const std::vector<Fix>& fixes, const TryFixOptions& options) {
  if (!data.validation) fail<OptionError>("try_fix: want a validation set to compare by; got validation_split = off");
  if (options.steps < 1) fail<OptionError>("try_fix: want steps >= 1; got ", options.steps);
  if (!options_.verify_fixes) return take_first(fixes);
  struct Restored {  // exceptions or not
    Trainer& trainer;
    TrainerOptions options;
    ModelInfo info;
    ModelState model;
    ~Restored() {
      trainer.options_ = std::move(options);
      trainer.info_ = info;
      restore(trainer.model_, model.parameters, model.buffers);
    }
  } restored{*this, options_, info_, capture(model_)};
  const TrainerOptions before = options_;

  TrainingState model_as_it_is;
  const TrainingState* start = known_good_ ? &*known_good_ : nullptr;
  std::optional<double> lr;
  if (start) lr = start->decisions.lr;
  TryFixResult result;
  std::vector<double> unchanged;
  std::optional<TrainerOptions> best;
  double best_loss = 0;
  for (std::size_t arm = 0; arm <= fixes.size(); ++arm) {
    options_ = before;
    if (lr) {  // the rate in use, as it is: no fix sees it scaled
      options_.lr = *lr;
      options_.lr_scaling = LrScaling::none;
    }
    if (arm > 0) fixes[arm - 1].change(options_);
    validate(options_);
    Run run(*this, data);
    if (!start) {
      model_as_it_is = run.capture();
      start = &model_as_it_is;
    }
    run.begin_arm(*start, options.steps);
    lr = arm == 0 ? run.decisions().lr : lr;
    TryFixArm row{.name = arm == 0 ? "unchanged" : fixes[arm - 1].name};
    row.train_before = run.evaluate_training(data.validation->size()).loss;
    row.validation_before = run.evaluate_validation()->loss;
    row.finite = run.run_arm(options.steps);
    row.train_after = run.evaluate_training(data.validation->size()).loss;
    const Evaluation after = *run.evaluate_validation();
    row.validation_after = after.loss;
    if (arm == 0)
      unchanged = after.group_losses;
    else
      compare(unchanged, after.group_losses, row);
    if (arm > 0 && row.finite && row.difference_high < 0 && (!best || row.validation_after < best_loss)) {
      best = options_;
      best_loss = row.validation_after;
      result.kept = row.name;
    }
    result.arms.push_back(std::move(row));
  }
  if (best && options.keep)
    restored.options = *best;
  else
    result.kept.clear();
  return result;
}

// Begins an arm: from that state, at its place in data and schedule. When fewer steps than those are left
// there, with a schedule of its own. The rate is as if no guard had lowered it.
void Trainer::Run::begin_arm(const TrainingState& from, std::int64_t steps) {
  quiet_ = true;
  read_data();
  put_back_weights(from.parameters, from.buffers);
  progress_ = from.progress;
  progress_.lr_factor = 1;
  if (progress_.step + steps > decisions_.planned_steps) {
    decisions_.planned_steps = steps;
    progress_.step = 0;
  }
  loader_->start_epoch(progress_.epoch);
  set_lr(given_lr());
  if (!options_.lr)
    if (const LrFinderResult found = sweep(); found.suggestion) set_lr(*found.suggestion);
  try {
    optimizer_->load_state(from.optimizer);
  } catch (const CheckpointError&) {
    // Another optimizer is the fix: it begins without moments.
  }
  add_guards();
  keep_good_state();
}

// Returns whether all of the steps were made, without a rollback.
bool Trainer::Run::run_arm(std::int64_t steps) {
  bool all = true;
  for (std::int64_t i = 0; i < steps && goes_on(); ++i) {
    if (progress_.batch >= batches()) {
      loader_->start_epoch(++progress_.epoch);
      progress_.batch = 0;
    }
    all = train_step() && all;
  }
  optimizer_->zero_grad();
  return all && goes_on() && progress_.rollbacks == last_good_.progress.rollbacks;
}

Evaluation Trainer::Run::evaluate_training(Index most_rows) {
  return trainer_.evaluate(trainer_.eval_loader(data_.train.first(most_rows)));
}

}  // namespace handrail::train
