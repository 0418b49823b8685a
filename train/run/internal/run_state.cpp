// What a run remembers: copies of its state, in memory and on disk, and whether they are worth it.
#include <algorithm>
#include <cctype>
#include <cerrno>  // program_invocation_short_name
#include <limits>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/files/text.h>
#include <handrail/train/report/internal/metrics_log.h>
#include <handrail/train/run/internal/fingerprint.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {

void Trainer::Run::keep_weights(NamedTensors& parameters, NamedTensors& buffers) const {
  ModelState weights = train::capture(trainer_.model_);
  parameters = std::move(weights.parameters);
  buffers = std::move(weights.buffers);
}

void Trainer::Run::put_back_weights(const NamedTensors& parameters, const NamedTensors& buffers) const {
  train::restore(trainer_.model_, parameters, buffers);
}

void Trainer::Run::restore_weights(const TrainingState& state) {
  put_back_weights(state.parameters, state.buffers);
  optimizer_->load_state(state.optimizer);
}

TrainingState Trainer::Run::capture() const {
  TrainingState state{.parameters = {},
                      .buffers = {},
                      .optimizer = optimizer_->state(),
                      .progress = progress_,
                      .decisions = decisions_,
                      .guards = {},
                      .best = best_,
                      .best_parameters = best_parameters_,
                      .best_buffers = best_buffers_,
                      .settings = settings_,
                      .log_length = log_ ? log_->length() : 0,
                      .model = trainer_.info_};
  keep_weights(state.parameters, state.buffers);
  state.progress.seconds += now() - start_;
  for (const auto& guard : guards_) state.guards[guard->name()] = guard->state();
  state.guards["early_stopping"] = early_stopping_.state();
  state.guards["ema"] = ema_.state();
  state.guards["evaluated_at"] = {static_cast<double>(evaluated_at_)};
  state.guards["healthy_below"] = {healthy_below_};
  for (const Parameter& p : parameters_) state.guards["trained"].push_back(p.tensor.requires_grad() ? 1 : 0);
  return state;
}

// Throws unless the settings are those the run began with, but for those allowed to differ.
void Trainer::Run::check_settings(const std::map<std::string, std::string>& begun, const ResumeOptions& options) const {
  check_fingerprint(begun, settings_, options.allow);
}

// Into a run that has not begun. The model comes last: when something does not fit it is as it was.
void Trainer::Run::restore(const TrainingState& state) {
  const auto load = [&](const std::string& name, auto&& part) {
    const auto it = state.guards.find(name);
    if (it == state.guards.end() || !part(it->second))
      fail<CheckpointError>("resume: want the state of '", name,
                            "' as this version writes it; got another, or it was off when the run began");
  };
  for (const auto& guard : guards_) load(guard->name(), [&](const auto& kept) { return guard->load_state(kept); });
  load("early_stopping", [&](const auto& kept) { return early_stopping_.load_state(kept); });
  load("ema", [&](const auto& kept) { return ema_.load_state(kept); });
  load("evaluated_at", [&](const auto& kept) {
    if (kept.size() != 1) return false;
    evaluated_at_ = static_cast<std::int64_t>(kept[0]);
    return true;
  });
  load("healthy_below", [&](const auto& kept) {
    if (kept.size() != 1) return false;
    healthy_below_ = kept[0];
    return true;
  });
  std::vector<double> trained;
  load("trained", [&](const auto& kept) {
    trained = kept;
    return kept.size() == parameters_.size();
  });
  // The other decisions follow from the settings. A rate that is given now counts when another one is allowed.
  const bool other_lr = options_.lr && state.settings.contains("lr") && state.settings.at("lr") != settings_.at("lr");
  set_lr(other_lr ? given_lr() : state.decisions.lr);
  progress_ = state.progress;
  progress_.batch = std::min(progress_.batch, batches());  // epochs may be shorter now
  result_.epochs = progress_.epoch - 1;
  best_ = state.best;
  best_parameters_ = state.best_parameters;
  best_buffers_ = state.best_buffers;
  optimizer_->load_state(state.optimizer);
  put_back_weights(state.parameters, state.buffers);
  // What a hook has frozen stays so.
  for (std::size_t p = 0; p < parameters_.size(); ++p) parameters_[p].tensor.set_requires_grad(trained[p] != 0);
}

// What must not change while a run goes on, by the names of the options where there are any.
std::map<std::string, std::string> Trainer::Run::settings() const {
  return fingerprint(options_, {.optimizer = *optimizer_,
                                .parameters = parameters_,
                                .normalization = trainer_.info_.normalization,
                                .training = data_.train,
                                .training_samples = loader_->samples(),
                                .validation = data_.validation,
                                .validation_samples = validation_ ? validation_->samples() : 0});
}

// No moment that would spoil what is rolled back to.
void Trainer::Run::keep_good_state() {
  TrainingState state = capture();
  for (const auto& [name, kept] : state.optimizer)
    for (const Tensor& slot : kept.slots)
      if (first_non_finite(slot.span()) >= 0) return;
  last_good_ = std::move(state);
}

// In training, of a batch of this epoch.
double Trainer::Run::loss_of(Index number) {
  const Tape tape(Mode::train, {.seed = decisions_.seed, .position = position(0)});
  return static_cast<double>(training_output(loader_->batch(number), number).loss.item());
}

// Whether the loss with the weights as they are now is not far above that of the beginning. The losses of
// the steps are not asked: they come before the updates.
bool Trainer::Run::is_healthy() {
  if (healthy_below_ == std::numeric_limits<double>::infinity()) return true;
  if (probed_at_ == progress_.micro_step) return was_healthy_;
  struct Aside {
    explicit Aside(Run& aside_of) : run(aside_of) {
      run.save_buffers();
      run.rehearsal_ = true;
    }
    ~Aside() {
      run.restore_buffers();
      run.rehearsal_ = false;
    }
    Run& run;
  } aside(*this);
  constexpr Index most = 3;  // one may be an unusual batch
  was_healthy_ = false;
  for (Index i = 0; i < std::min(most, batches()) && !was_healthy_; ++i) was_healthy_ = loss_of(i) <= healthy_below_;
  probed_at_ = progress_.micro_step;
  return was_healthy_;
}

bool Trainer::Run::checkpoint_due() const {
  if (!store_) return false;
  const CheckpointOptions& every = *options_.checkpoints;
  const double elapsed = clock_ - tried_time_;
  const std::int64_t steps = progress_.step - tried_step_;
  if (every.every_n_steps && steps >= *every.every_n_steps) return true;
  const bool epoch_is_over = progress_.batch == 0 && progress_.epoch - tried_epoch_ >= every.every_n_epochs;
  return (elapsed >= 1 && (epoch_is_over || steps >= 10'000)) || elapsed > 60 * every.every_minutes;
}

// Writes that state. A failure does not end the training: it is reported, and tried again when
// the next checkpoint is due.
void Trainer::Run::save_checkpoint(const TrainingState& state) {
  note_attempt();
  std::filesystem::path path;
  try {
    if (store_->remake())
      warn({.name = "run_directory_deleted",
            .step = progress_.step,
            .evidence = concat("'", result_.run_dir, "' is gone, with the checkpoints so far"),
            .cause = "somebody deleted it while the run goes on",
            .remedy = "nothing: it is made again, with a checkpoint of this step"});
    sync_log();
    path = store_->save(state, improved_);
  } catch (const CheckpointError& error) {
    result_.checkpoint_problem = error.what();
    warn({.name = "checkpoint_failed",
          .step = progress_.step,
          .evidence = error.what(),
          .cause = "a problem with the disk, or a value that is not finite",
          .remedy = "free disk space, or set checkpoints = off"});
    return;
  }
  result_.checkpoint = path.string();
  result_.checkpoint_problem.clear();
  saved_position_ = position_of(state);
  improved_ = false;
  if (!store_->rotation_problem().empty())
    warn({.name = "checkpoint_rotation",
          .step = progress_.step,
          .evidence = store_->rotation_problem(),
          .cause = "a problem with the disk, or missing permissions in the directory",
          .remedy = "remove old checkpoints by hand before they fill the disk"});
  trainer_.on_checkpoint(path);
}

Trainer::Run::Position Trainer::Run::position_of(const TrainingState& state) {
  return {state.progress.micro_step, state.progress.epoch,
          static_cast<std::int64_t>(state.guards.at("evaluated_at").at(0))};
}

// Before the first step, so that what stands in the way of checkpoints is known now, and no kill loses the choice of
// the rate.
void Trainer::Run::save_first_state() {
  sync_log();
  try {
    result_.checkpoint = store_->save(last_good_, false).string();
  } catch (const CheckpointError& error) {
    fail<CheckpointError>(error.what(), checkpoints_opt_out);
  }
}

// Before a checkpoint that knows how long it is.
void Trainer::Run::sync_log() {
  if (!log_) return;
  log_->sync();
  if (std::string problem = log_->take_problem(); !problem.empty())
    warn({.name = "metrics_log",
          .step = progress_.step,
          .evidence = std::move(problem),
          .cause = "a problem with the disk, or a change of the file by another program",
          .remedy = "free disk space; the checkpoints are not affected"});
}

void Trainer::Run::note_attempt() {
  tried_step_ = progress_.step;
  tried_epoch_ = progress_.epoch;
  tried_time_ = clock_;
}

// The program's name may hold what a name of a run must not.
std::string Trainer::Run::run_name() const {
  if (options_.checkpoints && !options_.checkpoints->name.empty()) return options_.checkpoints->name;
  std::string name = program_invocation_short_name;
  name.resize(std::min<std::size_t>(name.size(), 100));
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    const bool allowed = c < 128 && (std::isalnum(c) != 0 || c == '_' || c == '-' || (c == '.' && i > 0));
    if (!allowed) name[i] = '_';
  }
  return name.empty() ? "run" : name;
}

}  // namespace handrail::train
