#include <handrail/train/run/fixes/internal/repair.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/math/robust.h>
#include <handrail/train/run/fixes/internal/apply_fix.h>
#include <handrail/train/run/internal/evaluate.h>
#include <handrail/train/run/fixes/internal/model_snapshot.h>
#include <handrail/train/run/fixes/internal/paired.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {
namespace {

// A fit, and the program as it is after it.
struct Fitted {
  FitResult result;
  Evaluation validation, training;  // with the weights that it left
  TrainerOptions options;
  ModelInfo info;
  std::optional<LastRun> last_run;
  ModelSnapshot model;
};

class Repair {
 public:
  Repair(const Program& program, const RunData& data)
      : program_(program), data_(data), start_(program.model), max_fits_(*program.options.repair) {}

  FitResult run();

 private:
  Fitted fit();
  bool is_kept(const Fix& fix) const;
  std::optional<Fix> next_fix() const;
  bool prepare(const Fix& fix);
  bool attempt(const Fix& fix);
  void measure(RepairAttempt& attempt, const Fix& fix);
  void tell(const RepairAttempt& attempt) const;
  void leave_best() noexcept;

  const Program& program_;
  const RunData& data_;
  ModelSnapshot start_;
  const Index max_fits_;
  std::optional<Fitted> best_;
  std::vector<Fix> kept_;
  std::vector<std::string> failed_;  // names of fixes that were not kept
  std::vector<RepairAttempt> attempts_;
};

Fitted Repair::fit() {
  FitResult result = Run(program_, data_).fit();
  const auto measure = [this](const Rows& rows) {
    const Loader loader = evaluation_loader(rows, program_.info.normalization);
    return evaluate(program_.recipe, program_.info.task, {}, loader, loader.size(), {});
  };
  Evaluation validation = measure(*data_.validation), training = measure(data_.train);
  return {std::move(result), std::move(validation),        std::move(training),          program_.options,
          program_.info,     std::move(program_.last_run), ModelSnapshot(program_.model)};
}

// A few validation rows cannot tell. The diagnosis is evidence too: when the validation loss falls by a standard error,
// the training rows decide, or that it falls to less than half, which noise of the training does not do.
bool is_better(const Fix& fix, const Fitted& before, const Fitted& now) {
  if (is_lower_beyond_noise(before.validation.group_losses, now.validation.group_losses)) return true;
  const auto [fall, error] = paired_moments(before.validation.group_losses, now.validation.group_losses);
  if (fix.anomaly.empty() || !(fall > 0 && fall >= error)) return false;
  return now.validation.loss < before.validation.loss / 2 ||
         is_lower_beyond_noise(before.training.group_losses, now.training.group_losses);
}

bool Repair::is_kept(const Fix& fix) const { return std::ranges::find(kept_, fix.name, &Fix::name) != kept_.end(); }

// The next fix of the best result. A fix of the options that was kept may be asked for once more, such as four times
// the epochs; one of the model has done what it can. A model or data that a fix has changed may want another rate and
// more epochs than before.
std::optional<Fix> Repair::next_fix() const {
  const auto failed = [this](const Fix& fix) { return std::ranges::find(failed_, fix.name) != failed_.end(); };
  for (const Fix& fix : best_->result.fixes())
    if (!failed(fix) && !fix.changes_loss && !(fix.change_model && is_kept(fix))) return fix;
  if (kept_.empty()) return {};
  for (const Fix& fix : {fixes::find_lr(), fixes::more_epochs()})
    if (!failed(fix) && !is_kept(fix)) return fix;
  return {};
}

// Makes the program what it was at its start, with the fixes that were kept and this one. Returns false when this one
// changes nothing.
bool Repair::prepare(const Fix& fix) {
  start_.restore();
  program_.options = best_->options;
  for (const Fix& kept : kept_) change_model(kept, program_, data_.train);  // the options have theirs already
  return apply_fix(fix, program_, data_.train, best_->result.lr, RateAfterFix::as_before);
}

void Repair::measure(RepairAttempt& attempt, const Fix& fix) {
  Fitted now = fit();
  const PairedDifference difference = paired_difference(best_->validation.group_losses, now.validation.group_losses);
  attempt.after = now.validation.loss;
  attempt.difference_low = difference.low;
  attempt.difference_high = difference.high;
  if (now.result.reason >= StopReason::requested) {  // it was cut short, and so is the repair
    best_->result.reason = now.result.reason;
    best_->result.signal = now.result.signal;
    return;
  }
  attempt.kept = is_better(fix, *best_, now);
  if (!attempt.kept) return;
  best_.emplace(std::move(now));
  kept_.push_back(fix);
}

// Fits with the fix. Returns whether it is kept.
bool Repair::attempt(const Fix& fix) {
  RepairAttempt attempt{.fix = fix.name, .anomaly = fix.anomaly, .before = best_->validation.loss};
  try {
    if (!prepare(fix)) return false;
    tell(attempt);
    measure(attempt, fix);
  } catch (const Error& error) {
    attempt.problem = error.what();
  }
  attempt.done = true;
  tell(attempt);
  attempts_.push_back(attempt);
  return attempt.kept;
}

void Repair::tell(const RepairAttempt& attempt) const {
  for (const auto& sink : program_.options.sinks) sink->repair(attempt);
}

// Leaves the program as it was after the best fit. Takes no memory: the lack of it may be what ended the search.
void Repair::leave_best() noexcept {
  if (!best_) return;
  best_->model.put_back();
  program_.options = std::move(best_->options);
  program_.info = std::move(best_->info);
  program_.last_run = std::move(best_->last_run);
}

FitResult Repair::run() {
  try {
    best_.emplace(fit());
    while (std::ssize(attempts_) < max_fits_ && best_->result.reason < StopReason::requested) {
      const std::optional<Fix> fix = next_fix();
      if (!fix) break;
      if (!attempt(*fix)) failed_.push_back(fix->name);
    }
  } catch (...) {
    leave_best();
    throw;
  }
  leave_best();
  best_->result.repairs = std::move(attempts_);
  add_to_report(program_, best_->result);
  return std::move(best_->result);
}

}  // namespace

FitResult fit_and_repair(const Program& program, const RunData& data) {
  if (!program.options.repair || program.options.fast_dev_run) return Run(program, data).fit();
  if (!data.validation)
    fail<OptionError>("fit: repair wants a validation set to compare by; got validation_split = off");
  return Repair(program, data).run();
}

}  // namespace handrail::train
