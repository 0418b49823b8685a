// A run from its plan to its end.
#include <handrail/train/run.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include <handrail/core/denormals.h>
#include <handrail/core/error.h>
#include <handrail/core/finite.h>
#include <handrail/train/checkpoint_store.h>
#include <handrail/train/lr_scaling.h>
#include <handrail/train/metrics_log.h>
#include <handrail/train/signals.h>
#include <handrail/train/summary.h>

namespace handrail::train {

double Trainer::Run::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Trainer::Run::Run(Trainer& trainer, RunData data)
    : trainer_(trainer),
      options_(trainer.options_),
      data_(std::move(data)),
      parameters_(trainer.model_.parameters()),
      buffers_(trainer.model_.buffers()),
      sinks_(options_.sinks),
      ema_(options_.ema_beta.value_or(0)),
      early_stopping_(options_.mode, options_.improvement, options_.patience),
      start_(now()) {
  decisions_.seed = options_.seed;
  decisions_.normalization =
      options_.normalization ? options_.normalization : data_.train.fit_normalization(data_.train_rows);
  trainer_.normalization_ = decisions_.normalization;
  if (options_.overfit_batches) {
    const auto most = static_cast<std::size_t>(*options_.overfit_batches * options_.batch_size);
    data_.train_rows.resize(std::min(data_.train_rows.size(), most));
  }
  LoaderOptions loading{.batch_size = options_.batch_size,
                        .shuffle_seed = decisions_.seed,
                        .drop_last = options_.drop_last,
                        .normalization = decisions_.normalization};
  if (options_.overfit_batches) loading.shuffle_seed.reset();
  loader_.emplace(data_.train, data_.train_rows, loading);
  if (data_.validation) validation_.emplace(trainer_.eval_loader(*data_.validation, data_.validation_rows));
  decisions_.planned_steps = options_.epochs * steps_to_epoch();
  make_optimizer();
  for (const Buffer& buffer : buffers_) saved_buffers_.push_back(buffer.tensor.clone());
  for (const Parameter& p : parameters_) {
    weights_before_.push_back(p.tensor.clone());
    const auto& layers = optimizer_->layers();
    const auto layer = std::ranges::find(layers, optim::layer_of(p.name));
    // A parameter that the user's optimizer leaves out counts nowhere.
    layer_of_parameter_.push_back(static_cast<std::size_t>(layer - layers.begin()));
  }
}

Trainer::Run::~Run() = default;

Index Trainer::Run::batches() const {
  return std::min(loader_->size(), options_.limit_train_batches.value_or(loader_->size()));
}

Index Trainer::Run::steps_to_epoch() const {
  return (batches() + options_.accumulate_grad_batches - 1) / options_.accumulate_grad_batches;
}

void Trainer::Run::make_optimizer() {
  optimizer_ = trainer_.configure_optimizer();
  if (!optimizer_) fail<OptionError>("fit: want an optimizer from configure_optimizer; got null");
}

// The rate given, at the batch size of this run; or the optimizer's own until the finder has spoken.
double Trainer::Run::given_lr() const {
  if (!options_.lr) return optimizer_->default_lr();
  return *options_.lr *
         lr_scale(options_.lr_scaling, *optimizer_, options_.batch_size * options_.accumulate_grad_batches);
}

void Trainer::Run::set_lr(double lr) {
  decisions_.lr = lr;
  schedule_ = trainer_.configure_schedule(lr, decisions_.planned_steps);
  if (!schedule_) fail<OptionError>("fit: want a schedule from configure_schedule; got an empty function");
}

FitResult Trainer::Run::fit() {
  std::optional<SignalWatch> watch;
  if (options_.handle_signals) watch.emplace();
  check_floating_point();
  const FlushDenormals mode;
  trainer_.stop_requested_ = false;
  for (const Parameter& p : parameters_)
    if (const Index bad = first_non_finite(p.tensor.span()); bad >= 0)
      throw NonFiniteError(concat("fit: want finite parameters; '", p.name, "' ", p.tensor.shape(), " has ",
                                  p.tensor.data()[bad], " in element ", bad, "; initialise them anew"),
                           p.name);
  loader_->start_epoch(1);
  set_lr(given_lr());
  check_monitor();
  if (options_.checkpoints) {
    settings_ = settings();  // reads samples and all row numbers: only for a run that may be resumed
    open_store(new_run_dir(options_.checkpoints->dir, run_name()), {});
    open_log(0);
  }
  if (!options_.fast_dev_run) {
    check_data();
    check_model();
    if (!options_.lr && goes_on()) pick_lr();
    if (options_.guards.divergence) measure_start();
  }
  add_guards();
  keep_good_state();
  if (store_) save_first_state();
  return train();
}

FitResult Trainer::Run::resume(const std::filesystem::path& run_dir, const ResumeOptions& options) {
  std::optional<SignalWatch> watch;
  if (options_.handle_signals) watch.emplace();
  check_floating_point();
  const FlushDenormals mode;
  std::error_code none;
  const auto dir =
      std::filesystem::is_regular_file(run_dir, none) ? std::filesystem::absolute(run_dir).parent_path() : run_dir;
  trainer_.stop_requested_ = false;
  settings_ = settings();
  auto loaded = CheckpointStore::load_newest(dir);
  if (!loaded) fail<CheckpointError>("resume: want a directory with checkpoints; got none in ", dir);
  check_fits(trainer_.model_, loaded->state);
  resumed_ = true;
  set_lr(given_lr());
  add_guards();
  check_settings(loaded->state.settings, options);
  if (options_.checkpoints) open_store(dir, loaded->sequence);
  restore(loaded->state);
  if (store_) open_log(loaded->state.log_length);
  last_good_ = std::move(loaded->state);
  for (const std::string& skipped : loaded->skipped)
    warn({.name = "checkpoint_skipped",
          .step = progress_.step,
          .evidence = skipped,
          .cause = "a damaged disk or file",
          .remedy = concat("nothing: resumed from ", loaded->path)});
  result_.checkpoint = loaded->path.string();
  return train();
}

// Takes the lock of the directory.
void Trainer::Run::open_store(const std::filesystem::path& run_dir, std::optional<std::int64_t> resumed_from) {
  store_ = std::make_unique<CheckpointStore>(run_dir, options_.checkpoints->keep_last, resumed_from);
  result_.run_dir = run_dir.string();
}

void Trainer::Run::open_log(std::uint64_t length) {
  log_ = std::make_shared<MetricsLog>(store_->directory(), options_.log_every_n_steps, length, posix_file_system());
  sinks_.push_back(log_);
}

// Another library may have changed them, such as one that was linked with -ffast-math.
void Trainer::Run::check_floating_point() {
  const bool rounds = fp_mode::rounds_to_nearest(), flushes = fp_mode::flushes_denormals();
  if (rounds && !flushes) return;
  warn({.name = "floating_point_mode",
        .evidence = concat(rounds ? "" : "results are not rounded to nearest", !rounds && flushes ? ", and " : "",
                           flushes ? "denormal numbers are flushed to zero" : ""),
        .cause = "another library, or code linked with -ffast-math, changed the mode of the processor",
        .remedy =
            "fesetenv(FE_DFL_ENV) for results elsewhere; this run rounds to nearest and flushes, whatever the mode"});
}

// Whatever ends the training, all of the end is gone through, and the first exception goes on to the caller.
FitResult Trainer::Run::train() {
  clock_ = tried_time_ = now();
  tried_step_ = progress_.step;
  tried_epoch_ = progress_.epoch;
  saved_micro_step_ = progress_.micro_step;
  std::exception_ptr error;
  const auto go_through = [&](auto&& part) {
    try {
      part();
    } catch (...) {
      if (error) return;
      error = std::current_exception();
      result_.reason = StopReason::exception;
      if (std::exchange(in_step_, false)) restore_buffers();
      try {
        trainer_.on_exception(error);
      } catch (...) {
        return;  // the one before is what is wrong
      }
    }
  };
  go_through([&] {
    start_event();
    trainer_.on_fit_start();
    run_epochs();
  });
  ended_ = true;
  go_through([&] { save_last_state(); });
  leave_weights();
  go_through([&] { diagnose(); });
  complete_result();
  for (const auto& sink : sinks()) go_through([&] { sink->fit_end(result_); });
  go_through([&] { trainer_.on_fit_end(result_); });
  if (error) std::rethrow_exception(error);
  return result_;
}

void Trainer::Run::start_event() {
  const Plan plan{.model = trainer_.model_,
                  .optimizer = *optimizer_,
                  .lr = decisions_.lr,
                  .lr_source = lr_source(),
                  .loader = *loader_,
                  .batches = batches(),
                  .validation = validation_ ? &*validation_ : nullptr,
                  .validation_source = data_.validation_source,
                  .normalization = decisions_.normalization,
                  .run_dir = store_ ? store_->directory().string() : std::string()};
  result_.summary = summarise(options_, plan);
  if (resumed_)
    result_.summary.insert(
        result_.summary.begin(),
        {"resumed", concat("at step ", progress_.step, ", epoch ", progress_.epoch, ", from ", result_.checkpoint)});
  const FitStart event{.summary = result_.summary,
                       .epochs = options_.epochs,
                       .batches_per_epoch = batches(),
                       .planned_steps = decisions_.planned_steps};
  for (const auto& sink : sinks()) sink->fit_start(event);
}

std::string Trainer::Run::lr_source() const {
  if (options_.lr) {
    const Index batch = options_.batch_size * options_.accumulate_grad_batches;
    return decisions_.lr == *options_.lr
               ? "given"
               : concat("given as ", *options_.lr, " for ", reference_batch, " samples a step, of ", batch);
  }
  if (resumed_) return "as the run began with";
  if (!result_.lr_finder || !result_.lr_finder->suggestion) return "the optimizer's default";
  return concat("by the LR finder", result_.lr_finder->few_samples ? ", as for few samples" : "",
                result_.lr_finder->low_confidence ? "; its readings lie more than a decade apart" : "",
                result_.lr_finder->censored ? "; the sweep did not diverge" : "");
}

void Trainer::Run::run_epochs() {
  // A run resumed may have ended for good, or stopped just before an evaluation.
  if (early_stopping_.stop()) result_.reason = StopReason::early_stopping;
  if (goes_on() && evaluation_due()) evaluate();
  while (progress_.epoch <= options_.epochs && goes_on()) {
    const double start = now();
    loader_->start_epoch(progress_.epoch);
    if (progress_.batch == 0) trainer_.on_epoch_start(progress_.epoch);
    heed_stop();
    while (progress_.batch < batches() && goes_on()) {
      const bool updated = train_step(), evaluated = evaluation_due();
      if (evaluated) evaluate();
      if (--steps_to_clock_ <= 0 || !updated) look_at_clock();
      heed_stop();
      if (goes_on() && progress_.batch < batches() && (evaluated || (updated && checkpoint_due()))) keep_progress();
    }
    if (progress_.batch == batches() && !stopped_by_guard_) end_epoch(start);
  }
}

void Trainer::Run::heed_stop() {
  if (!goes_on()) return;
  if (trainer_.stop_requested_) result_.reason = StopReason::requested;
  if (const int signal = SignalWatch::received(); signal != 0 && options_.handle_signals) {
    result_.reason = StopReason::interrupted;
    result_.signal = signal;
  }
}

bool Trainer::Run::evaluation_due() const {
  return validation_ && progress_.step % options_.val_check_interval == 0 && progress_.step > 0 &&
         evaluated_at_ != progress_.step;
}

// Reading the clock costs as much as a tiny op: quick steps look at it about once a millisecond.
void Trainer::Run::look_at_clock() {
  const double before = std::exchange(clock_, now());
  constexpr Index most_steps = 64;
  clock_interval_ =
      clock_ - before < 1e-3 ? std::min(most_steps, 2 * clock_interval_) : std::max<Index>(1, clock_interval_ / 2);
  steps_to_clock_ = clock_interval_;
  const bool done = progress_.epoch == options_.epochs && progress_.batch == batches();
  if (options_.max_seconds && clock_ - start_ + progress_.seconds > *options_.max_seconds && goes_on() && !done)
    result_.reason = StopReason::max_time;
}

}  // namespace handrail::train
