#include <handrail/train/run/loop/loop.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/finite.h>
#include <handrail/optim/clip.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/run/loop/repeat/explain.h>
#include <handrail/train/run/loop/repeat/passes.h>

namespace handrail::train {
namespace {

double clip_scale(double grad_norm, const TrainerOptions& options) {
  return options.clip_norm && is_finite(grad_norm) ? optim::clip_scale(grad_norm, *options.clip_norm) : 1.0;
}

}  // namespace

void Loop::run() {
  for (; stop_.running() && at.epoch <= setup_.options.epochs; end_epoch()) {
    start_epoch();
    while (stop_.running() && at.batch < setup_.batches()) {
      const bool updated = step(setup_.micro_batches(at.batch)).updated;
      if (evaluator.due()) evaluator.run();
      keep_good();
      stop_.look_at_clock(at, !updated);
      stop_.look();
      if (updated && stop_.running() && at.batch < setup_.batches()) save_if_due();
    }
  }
}

StepStats Loop::step(const MicroBatches& batches) {
  guards.look_at_weights(at.step + 1);
  StepStats stats = at.begin(batches, schedule_(at.step + 1));
  desk_.call(&Recipe::on_step_start, stats.step);
  Verdict verdict = attempt(batches, stats);
  at.advance(batches, stats.updated);
  if (stats.updated) verdict.add(accept(stats));
  act(verdict);  // comes before the hooks, which may throw
  guards.note_weights();
  report(stats);
  return stats;
}

Verdict Loop::attempt(const MicroBatches& batches, StepStats& stats) {
  Attempt attempt(*setup_.optimizer, buffers);
  step_metrics_.clear();
  const bool verifies = verifier_ && verifier_->due();
  Verdict verdict;
  Tensor predictions, targets;  // of a step of one batch
  make_passes(
      setup_, at, batches, [&](Index i) { return verifies ? verifier_->read(i) : setup_.loader->batch(i); },
      [&](const StepOutput& output, const Batch& batch, double share, Index i) {
        const auto loss = static_cast<double>(output.loss.item());
        stats.loss += share * loss;
        add_metrics(step_metrics_, output.metrics, share);
        if (batches.count == 1) predictions = output.predictions, targets = batch.targets;
        if (i < batches.last() && is_finite(loss)) return true;
        at.torn = true;
        if (!verifies || !is_finite(stats.loss)) verdict = check_loss(stats, predictions, targets);
        return verdict.proceeds();
      });
  if (verdict.proceeds() && verifies && is_finite(stats.loss)) {
    verdict = verify(batches, stats);
    if (verdict.proceeds()) verdict = check_loss(stats, predictions, targets);
  }
  if (!verdict.proceeds()) return verdict;
  stats.grad_norm = setup_.optimizer->grad_norm();
  stats.layer_norms = setup_.optimizer->layer_norms();
  verdict = guards.before_update(stats);  // GUARD the gradients
  if (verdict.proceeds()) verdict.add(update(stats));
  if (stats.updated) attempt.keep();
  return verdict;
}

Verdict Loop::verify(const MicroBatches& batches, StepStats& stats) {
  std::optional<Anomaly> anomaly = verifier_->check(batches, stats, step_metrics_);
  return anomaly ? desk_.report(std::move(*anomaly)) : Verdict{};
}

// GUARD the loss. predictions, targets: of all samples of the step; undefined when they are not known.
Verdict Loop::check_loss(StepStats& stats, const Tensor& predictions, const Tensor& targets) {
  const PredictedLosses samples(setup_.info.task, predictions, targets);
  if (setup_.plain_loss() && predictions.defined()) stats.sample_losses = &samples;
  const Verdict verdict = guards.before_backward(stats);
  stats.sample_losses = nullptr;
  return verdict;
}

Verdict Loop::update(StepStats& stats) {
  const double scale = clip_scale(stats.grad_norm, setup_.options);
  stats.clipped = scale < 1;
  if (is_measured(stats)) meter_->before_update();
  try {
    setup_.optimizer->step(stats.lr, scale, guards.is_sealed());
  } catch (const NonFiniteError& error) {
    return guards.update_refused(stats, error);  // GUARD the update
  }
  stats.updated = true;
  return {};
}

Loop::Loop(const Setup& setup, const optim::Schedule& schedule, Desk& desk, Stop& stop, bool sealed)
    : buffers(setup.buffers),
      good(setup, at, buffers),
      guards(desk, sealed, [this](Anomaly& anomaly) { explain(anomaly, setup_, at, buffers); }),
      evaluator(setup, desk, stop, at, good),
      saver(setup, desk, stop),
      setup_(setup),
      schedule_(schedule),
      desk_(desk),
      stop_(stop) {
  at.ema = Ema(setup.options.ema_beta.value_or(0));
  if (desk.is_quiet()) return;
  meter_ = std::make_unique<LayerMeter>(setup);
  if (setup.options.verify_steps) verifier_ = std::make_unique<Verifier>(setup, at, buffers);
}

bool Loop::is_measured(const StepStats& stats) const {
  return meter_ && stats.step % setup_.options.log_every_n_steps == 0;
}

Verdict Loop::accept(StepStats& stats) {
  at.accept(stats, step_metrics_);
  Verdict verdict = guards.accepted(stats);
  if (is_measured(stats)) verdict.add(guards.layers_measured(meter_->measure(stats.step)));
  return verdict;
}

// What sinks write comes before the hooks: a hook may throw, and the lines of a step that was made must be there then.
void Loop::report(const StepStats& stats) {
  const bool measured = stats.updated && is_measured(stats);
  desk_.send(&LogSink::step_end, stats);
  if (measured) desk_.send(&LogSink::layers, meter_->report());
  at.torn = false;
  desk_.call(&Recipe::on_step_end, stats);
  if (measured) desk_.call(&Recipe::on_log, stats, meter_->report());
}

void Loop::act(const Verdict& verdict) {
  if (verdict.action == Action::reduce_lr || verdict.action == Action::rollback) at.lr_factor *= verdict.lr_factor;
  if (verdict.action == Action::rollback) roll_back();
  if (verdict.action == Action::stop) stop_.because_of_guard();
}

// Restores weights and moments only. Data and schedule continue from where they are, so that the batches that led to
// the rollback are not used again in this epoch, and a run always ends.
void Loop::roll_back() {
  if (good.state().parameters.empty()) return;  // there is no state before the first step
  good.restore();
  ++at.rollbacks;
  at.ema = Ema(setup_.options.ema_beta.value_or(0));
  guards.rolled_back();
}

void Loop::start_epoch() {
  epoch_start_ = Stop::now();
  setup_.loader->start_epoch(at.epoch);
  if (at.batch == 0) desk_.call(&Recipe::on_epoch_start, at.epoch);
  setup_.require_trained();  // a hook may have frozen all
  stop_.look();
}

// The checkpoint comes last, so that it holds what evaluation, early stopping, guards and hooks decided.
void Loop::end_epoch() {
  if (at.batch < setup_.batches() || stop_.by_guard()) return;
  EpochStats stats{.epoch = at.epoch,
                   .step = at.step,
                   .lr = schedule_(std::max<std::int64_t>(at.step, 1)) * at.lr_factor,
                   .train_loss = at.train_loss(),
                   .metrics = at.train_metrics(),
                   .validation = {},
                   .seconds = 0};
  if (!evaluator.run_at_epoch_end(stats.validation)) return;
  stop_.look_at_clock(at, true);
  stats.seconds = stop_.clock() - epoch_start_;
  at.torn = true;
  at.start_next_epoch();
  act(guards.epoch_end(stats));
  desk_.send(&LogSink::epoch_end, stats);
  at.torn = false;
  desk_.call(&Recipe::on_epoch_end, stats);
  desk_.warn_of_sinks(at.step);
  stop_.look();
  if (stop_.by_guard()) return;
  keep_good();
  save_if_due();
}

bool Loop::is_good() const {
  return guards.is_good_state() && good.is_healthy() && setup_.optimizer->has_finite_slots();
}

// Nothing is kept while an evaluation is due, because a signal has interrupted it: it is made when the run is resumed.
void Loop::keep_good() {
  if (!good.due() || evaluator.due() || stop_.by_guard()) return;
  good.check_health();
  good.note_attempt();
  if (is_good()) good.keep([this](TrainingState& state) { capture(state); });
}

// A state that a guard objects to, or with which training has diverged, is not saved.
void Loop::save_if_due() {
  saver.report_if_due(at.step);
  if (!saver.due(at)) return;
  if (!is_good())
    saver.note_attempt(at);
  else if (saver.save(capture(), evaluator.has_improved()))
    evaluator.forget_improvement();
}

TrainingState Loop::capture() {
  TrainingState state;
  capture(state);
  if (!good.is(state)) state.good = std::make_shared<const TrainingState>(good.state());
  return state;
}

// Writes over a state that was captured before without a call of the heap.
void Loop::capture(TrainingState& state) {
  train::capture(setup_.parameters, state.parameters);
  train::capture(setup_.buffers, state.buffers);
  setup_.optimizer->state(state.optimizer);
  state.progress = at;
  state.progress.seconds += stop_.seconds();
  state.decisions = setup_.decisions;
  guards.save(state.guards);
  evaluator.save(state);
  save_state(good, state.guards["good_state"]);
  save_state(at, state.guards["position"]);
  std::vector<double>& trained = state.guards["trained"];
  trained.clear();
  for (const Parameter& p : setup_.parameters) trained.push_back(p.tensor.requires_grad() ? 1 : 0);
  if (state.settings.empty()) state.settings = settings;
  state.log_length = saver.log_length();
  state.model = setup_.info;
  state.train_loss = at.last_train_loss;
}

// Restores all but the model. Reads as much of a state as can be wrong.
void Loop::load(const TrainingState& state) {
  guards.load(state.guards);
  evaluator.load(state);
  load_named(state.guards, "position", [&](const auto& kept) { return load_state(at, kept); });
  load_named(state.guards, "good_state", [&](const auto& kept) { return load_state(good, kept); });
  load_named(state.guards, "trained", [&](const auto& kept) { return kept.size() == setup_.parameters.size(); });
  static_cast<Progress&>(at) = state.progress;
  at.batch = std::min(at.batch, setup_.batches());  // an epoch may have fewer batches now
  at.last_train_loss = state.train_loss;
  setup_.optimizer->load_state(state.optimizer);
}

void Loop::restore(const TrainingState& state) {
  if (state.good) load(*state.good);  // a rollback would come too late to refuse it
  load(state);
  train::restore(setup_.model, state.parameters, state.buffers);
  // A parameter that a hook has frozen stays frozen.
  const std::vector<double>& trained = state.guards.at("trained");
  for (std::size_t p = 0; p < trained.size(); ++p) setup_.parameters[p].tensor.set_requires_grad(trained[p] != 0);
  good.set(state.good ? *state.good : state);
  // The order of the batches is that of the last step, in which the test of a good state takes them.
  setup_.loader->start_epoch(at.batch == 0 ? std::max<Index>(1, at.epoch - 1) : at.epoch);
}

void Loop::catch_up() {
  if (!evaluator.has_stopped() && evaluator.due()) evaluator.run();
  end_epoch();
  keep_good();
}

}  // namespace handrail::train
