#include <handrail/train/run/internal/fix_trials.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/math/robust.h>
#include <handrail/train/run/internal/evaluate.h>
#include <handrail/train/run/internal/preflight/preflight.h>

namespace handrail::train {
namespace {

// Sets the difference of an arm: the mean of now - reference over the same groups of samples, with its 95 % interval. A
// loss that is not finite is worse than any other.
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

// Begins at that state and at its place in data and schedule. When the schedule has fewer than `steps` steps left, the
// arm gets a schedule of its own. Reductions of the rate by guards are not taken over.
void Arm::begin(const TrainingState& from, std::int64_t steps) {
  preflight_.read_data(false);
  restore(setup_.model, from.parameters, from.buffers);
  static_cast<Progress&>(loop_.at) = from.progress;
  loop_.at.lr_factor = 1;
  if (loop_.at.step + steps > setup_.decisions.planned_steps) {
    setup_.decisions.planned_steps = steps;
    loop_.at.step = 0;
  }
  setup_.loader->start_epoch(loop_.at.epoch);
  setup_.set_lr(setup_.given_lr());
  if (!setup_.options.lr)
    if (const LrFinderResult found = preflight_.sweep(); found.suggestion) setup_.set_lr(*found.suggestion);
  try {
    setup_.optimizer->load_state(from.optimizer);
  } catch (const CheckpointError&) {
    // The fix is another optimizer, or the state is that before the first step: it begins without moments.
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

// Keeps the first fix unmeasured, for verify_fixes = off.
TryFixResult take_first(const Program& program, const std::vector<Fix>& fixes) {
  if (fixes.empty()) return {};
  TrainerOptions changed = program.options;
  if (program.known_good) {  // the rate in use, not scaled again
    changed.lr = program.known_good->decisions.lr;
    changed.lr_scaling = LrScaling::none;
  } else if (!changed.lr) {
    changed.lr = program.recipe.configure_optimizer()->default_lr();
  }
  fixes.front().change(changed);
  validate(changed);
  TryFixResult result{.arms = {}, .kept = fixes.front().name};
  program.options = std::move(changed);
  return result;
}

// Restores options, info and model at its end, also after an exception. Its end takes no memory: the lack of it may be
// that exception.
struct Restored {
  explicit Restored(const Program& of)
      : program(of),
        options(of.options),
        info(of.info),
        parameters(of.model.parameters()),
        buffers(of.model.buffers()),
        model(capture(of.model)) {}
  ~Restored() {
    program.options = std::move(options);
    program.info = std::move(info);
    write_back(parameters, buffers, model.parameters, model.buffers);
  }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

  const Program& program;
  TrainerOptions options;
  ModelInfo info;
  std::vector<Parameter> parameters;
  std::vector<Buffer> buffers;
  ModelState model;
};
static_assert(std::is_nothrow_move_assignable_v<TrainerOptions> && std::is_nothrow_move_assignable_v<ModelInfo>);

}  // namespace

TryFixResult try_fixes(const Program& program, const RunData& data, const std::vector<Fix>& fixes,
                       const TryFixOptions& options) {
  if (!data.validation) fail<OptionError>("try_fix: want a validation set to compare by; got validation_split = off");
  if (options.steps < 1) fail<OptionError>("try_fix: want steps >= 1; got ", options.steps);
  if (!program.options.verify_fixes) return take_first(program, fixes);
  Restored restored(program);
  const TrainerOptions before = program.options;
  const auto max_rows = data.validation->size();

  TrainingState model_as_it_is;
  const TrainingState* start = program.known_good ? &*program.known_good : nullptr;
  std::optional<double> lr;
  if (start) lr = start->decisions.lr;
  TryFixResult result;
  std::vector<double> unchanged;
  std::optional<TrainerOptions> best;
  double best_loss = 0;
  for (std::size_t number = 0; number <= fixes.size(); ++number) {
    program.options = before;
    if (lr) {  // the rate in use, not scaled again
      program.options.lr = *lr;
      program.options.lr_scaling = LrScaling::none;
    }
    if (number > 0) fixes[number - 1].change(program.options);
    validate(program.options);
    Arm arm(program, data);
    if (!start) {
      model_as_it_is = arm.capture();
      start = &model_as_it_is;
    }
    arm.begin(*start, options.steps);
    lr = number == 0 ? arm.lr() : lr;
    TryFixArm row{.name = number == 0 ? "unchanged" : fixes[number - 1].name};
    row.train_before = arm.training_loss(max_rows);
    row.validation_before = arm.evaluate_validation().loss;
    row.finite = arm.run(options.steps);
    row.train_after = arm.training_loss(max_rows);
    const Evaluation after = arm.evaluate_validation();
    row.validation_after = after.loss;
    if (number == 0)
      unchanged = after.group_losses;
    else
      compare(unchanged, after.group_losses, row);
    if (number > 0 && row.finite && row.difference_high < 0 && (!best || row.validation_after < best_loss)) {
      best = program.options;
      best_loss = row.validation_after;
      result.kept = row.name;
    }
    result.arms.push_back(std::move(row));
  }
  result.restarted = program.known_good && start->progress.step == 0;
  if (best && options.keep) {
    if (result.restarted) restored.model = {.parameters = start->parameters, .buffers = start->buffers};
    restored.options = std::move(*best);
  } else {
    result.kept.clear();
  }
  return result;
}

}  // namespace handrail::train
