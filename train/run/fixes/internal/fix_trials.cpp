#include <handrail/train/run/fixes/internal/fix_trials.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/run/fixes/internal/apply_fix.h>
#include <handrail/train/run/internal/evaluate.h>
#include <handrail/train/run/fixes/internal/model_snapshot.h>
#include <handrail/train/run/fixes/internal/paired.h>
#include <handrail/train/run/internal/preflight/preflight.h>
#include <handrail/train/run/internal/preflight/standardise.h>

namespace handrail::train {
namespace {

// A short run with a quiet desk.
class Arm {
 public:
  Arm(const Program& program, const RunData& data)
      : setup_(program, data),
        desk_(Desk::quiet(program.recipe)),
        stop_(setup_, desk_),
        loop_(setup_, setup_.schedule, desk_, stop_, program.options.guards.non_finite),
        preflight_(setup_, loop_, desk_, stop_) {}

  TrainingState capture() { return loop_.capture(); }
  double lr() const { return setup_.decisions.lr; }
  Evaluation evaluate_validation() { return *loop_.evaluator.measure(); }
  /// Takes the loss from the options again.
  Evaluation evaluate_validation_anew() {
    preflight_.read_data(false);
    return evaluate_validation();
  }
  double training_loss(Index max_rows);
  void begin(const TrainingState& from, std::int64_t steps);
  bool run(std::int64_t steps);

 private:
  Setup setup_;
  Desk desk_;
  Stop stop_;
  Loop loop_;
  Preflight preflight_;
};

double Arm::training_loss(Index max_rows) {
  const ModelInfo& info = setup_.info;
  const Loader loader = evaluation_loader(setup_.data.train.first(max_rows), info.normalization);
  return evaluate(setup_.recipe, info.task, setup_.options.metrics, loader, loader.size(), {}).loss;
}

// Begins at the place of that state in data and schedule, with the present weights. When the schedule has fewer than
// `steps` steps left, the arm gets a schedule of its own. Reductions of the rate by guards are not taken over.
void Arm::begin(const TrainingState& from, std::int64_t steps) {
  preflight_.read_data(false);
  static_cast<Progress&>(loop_.at) = from.progress;
  loop_.at.lr_factor = 1;
  if (loop_.at.step + steps > setup_.decisions.planned_steps) {
    setup_.decisions.planned_steps = steps;
    loop_.at.step = 0;
  }
  setup_.loader->start_epoch(loop_.at.epoch);
  standardise(setup_, loop_.at, stop_);  // as the next fit will
  setup_.set_lr(setup_.given_lr());
  if (!setup_.options.lr)
    if (const LrFinderResult found = preflight_.sweep(); found.suggestion) setup_.set_lr(*found.suggestion);
  try {
    setup_.optimizer->load_state(from.optimizer);
  } catch (const CheckpointError&) {
    // The fix is another optimizer or model, or the state is that before the first step: it begins without moments.
  }
  loop_.guards.add_all(setup_);
  loop_.good.set(loop_.capture());
}

// Returns whether all of the steps were made, without a rollback.
bool Arm::run(std::int64_t steps) {
  bool all = true;
  for (std::int64_t i = 0; i < steps && stop_.running(); ++i) {
    if (loop_.at.batch >= setup_.batches()) {
      setup_.loader->start_epoch(++loop_.at.epoch);
      loop_.at.batch = 0;
    }
    all = loop_.step(setup_.micro_batches(loop_.at.batch)).updated && all;
  }
  setup_.optimizer->zero_grad();
  return all && stop_.running() && loop_.at.rollbacks == loop_.good.state().progress.rollbacks;
}

// The state from which the arms begin: that before the last run when it has failed, and when a fix changes the model,
// which was trained as it is. Null for the model as it is.
const TrainingState* start_of_arms(const Program& program, const std::vector<Fix>& fixes) {
  if (!program.last_run) return nullptr;
  const LastRun& last = *program.last_run;
  const bool begins_anew = last.failed || std::ranges::any_of(fixes, [](const Fix& fix) { return !!fix.change_model; });
  return begins_anew && last.start ? &*last.start : &last.good;
}

// Restores options, info and model at its end, also after an exception. Its end takes no memory: the lack of it may be
// that exception.
struct Restored {
  explicit Restored(const Program& of) : program(of), options(of.options), info(of.info), model(of.model) {}
  ~Restored() {
    if (kept) return;
    program.options = std::move(options);
    program.info = std::move(info);
    model.put_back();
  }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

  const Program& program;
  TrainerOptions options;
  ModelInfo info;
  ModelSnapshot model;
  bool kept = false;  // whether everything stays as it is now
};
static_assert(std::is_nothrow_move_assignable_v<TrainerOptions> && std::is_nothrow_move_assignable_v<ModelInfo>);

// The arms of a comparison, which begin alike.
class Trials {
 public:
  Trials(const Program& program, const RunData& data, const std::vector<Fix>& fixes, const TryFixOptions& options)
      : program_(program),
        data_(data),
        fixes_(fixes),
        options_(options),
        before_(program),
        start_(start_of_arms(program, fixes)),
        lr_(start_ ? std::optional(start_->decisions.lr) : std::nullopt) {}

  /// Measures an arm: a fix, or null for the unchanged program, which comes first.
  TryFixArm measure(const Fix* fix);
  /// Gives the program that fix.
  void keep(const Fix& fix);
  /// Whether the arms begin with the weights from before the last fit.
  bool restarted() const { return program_.last_run && start_->progress.step == 0; }

 private:
  bool prepare(const Fix* fix);
  void measure_other_losses(Arm& arm);

  const Program& program_;
  const RunData& data_;
  const std::vector<Fix>& fixes_;
  const TryFixOptions& options_;
  Restored before_;
  const TrainingState* start_;
  TrainingState as_it_is_;
  std::optional<double> lr_;  // the peak rate in use, when it is known
  std::vector<double> unchanged_;
  std::map<std::string, std::vector<double>> unchanged_by_;  // the same by the loss of each fix that changes it
};

// Makes the program what it is at the start of an arm. Returns false when the fix has nothing to change.
bool Trials::prepare(const Fix* fix) {
  before_.model.restore();
  if (start_) restore(program_.model, start_->parameters, start_->buffers);
  program_.options = before_.options;
  if (fix) {
    const auto rate = fix->change_model ? RateAfterFix::as_before : RateAfterFix::in_use;
    return apply_fix(*fix, program_, data_.train, *lr_, rate);
  }
  if (lr_) {  // not scaled again
    program_.options.lr = *lr_;
    program_.options.lr_scaling = LrScaling::none;
  }
  return true;
}

// Evaluates the unchanged arm by the loss of each fix that changes it.
void Trials::measure_other_losses(Arm& arm) {
  for (const Fix& fix : fixes_) {
    if (!fix.changes_loss || !fix.change) continue;
    const TrainerOptions options = program_.options;
    fix.change(program_.options);
    unchanged_by_[fix.name] = arm.evaluate_validation_anew().group_losses;
    program_.options = options;
    arm.evaluate_validation_anew();
  }
}

TryFixArm Trials::measure(const Fix* fix) {
  TryFixArm row{.name = fix ? fix->name : "unchanged"};
  row.applies = prepare(fix);
  if (!row.applies) return row;
  Arm arm(program_, data_);
  if (!start_) {
    as_it_is_ = arm.capture();
    start_ = &as_it_is_;
  }
  arm.begin(*start_, options_.steps);
  if (!fix) lr_ = arm.lr();
  const Index max_rows = data_.validation->size();
  row.train_before = arm.training_loss(max_rows);
  row.validation_before = arm.evaluate_validation().loss;
  row.finite = arm.run(options_.steps);
  row.train_after = arm.training_loss(max_rows);
  const Evaluation after = arm.evaluate_validation();
  row.validation_after = after.loss;
  if (!fix) {
    unchanged_ = after.group_losses;
    measure_other_losses(arm);
  } else {
    const auto by_its_loss = unchanged_by_.find(fix->name);
    const std::vector<double>& unchanged = by_its_loss == unchanged_by_.end() ? unchanged_ : by_its_loss->second;
    const PairedDifference difference = paired_difference(unchanged, after.group_losses);
    row.difference = difference.mean;
    row.difference_low = difference.low;
    row.difference_high = difference.high;
  }
  return row;
}

// A fix of the options leaves the model as it was, but after a fit that failed it has the weights from before it.
void Trials::keep(const Fix& fix) {
  const bool restart = restarted() || fix.change_model;
  prepare(&fix);
  if (!restart) restore(program_.model, before_.model.values().parameters, before_.model.values().buffers);
  program_.info = before_.info;
  before_.kept = true;
  if (fix.change_model) program_.last_run.reset();
}

// Keeps the first fix unmeasured, for verify_fixes = off.
TryFixResult take_first(const Program& program, const RunData& data, const std::vector<Fix>& fixes) {
  if (fixes.empty()) return {};
  const Fix& fix = fixes.front();
  Restored before(program);
  const double lr = program.last_run     ? program.last_run->good.decisions.lr
                    : program.options.lr ? *program.options.lr
                                         : program.recipe.configure_optimizer()->default_lr();
  const bool in_use = program.last_run || program.options.lr || !fix.change_model;
  if (!apply_fix(fix, program, data.train, lr, in_use ? RateAfterFix::in_use : RateAfterFix::as_before)) return {};
  before.kept = true;
  return {.arms = {}, .kept = fix.name};
}

}  // namespace

TryFixResult try_fixes(const Program& program, const RunData& data, const std::vector<Fix>& fixes,
                       const TryFixOptions& options) {
  if (!data.validation) fail<OptionError>("try_fix: want a validation set to compare by; got validation_split = off");
  if (options.steps < 1) fail<OptionError>("try_fix: want steps >= 1; got ", options.steps);
  if (!program.options.verify_fixes) return take_first(program, data, fixes);
  Trials trials(program, data, fixes, options);
  TryFixResult result{.arms = {trials.measure(nullptr)}};
  result.restarted = trials.restarted();
  const Fix* best = nullptr;
  double best_loss = 0;
  for (const Fix& fix : fixes) {
    const TryFixArm& arm = result.arms.emplace_back(trials.measure(&fix));
    if (!arm.applies || !arm.finite || !(arm.difference_high < 0) || (best && arm.validation_after >= best_loss))
      continue;
    best = &fix;
    best_loss = arm.validation_after;
  }
  if (best && options.keep) {
    trials.keep(*best);
    result.kept = best->name;
  }
  return result;
}

}  // namespace handrail::train
