// A run from its plan to its end.
#include <handrail/train/run/internal/run.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/system/denormals.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/files/file_system.h>
#include <handrail/train/files/signals.h>
#include <handrail/train/lr/lr_scaling.h>
#include <handrail/train/report/internal/metrics_log.h>
#include <handrail/train/run/summary.h>

namespace handrail::train {

double Trainer::Run::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Writes in pieces, and looks for a signal between them: a large checkpoint takes the disk a while.
class Trainer::Run::Files : public FileSystem {
 public:
  explicit Files(Run& run) : run_(run) {}
  ssize_t write(int file, const void* bytes, std::size_t count) override {
    constexpr std::size_t piece = 4 << 20;
    run_.announce_stop();
    return FileSystem::write(file, bytes, std::min(count, piece));
  }

 private:
  Run& run_;
};

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
  files_ = std::make_unique<Files>(*this);
  make_loaders();  // of the right sizes; read_data makes them again
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

// Whoever pressed Ctrl-C sees that it was heard.
void Trainer::Run::announce_stop() {
  if (stop_announced_ || !options_.handle_signals || SignalWatch::received() == 0) return;
  stop_announced_ = true;
  for (const auto& sink : sinks()) sink->activity({.what = stopping_activity, .done = 0, .total = 1});
}

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
  set_lr(given_lr());
  const bool logs_there = options_.metrics_csv && options_.metrics_csv->empty();
  if (options_.checkpoints || logs_there) {
    made_dir_ = new_run_dir(options_.checkpoints.value_or(CheckpointOptions{}).dir, run_name());
    result_.run_dir = made_dir_.string();
  }
  if (options_.checkpoints) open_store(made_dir_, {});
  open_log(0);
  return train([this] { prepare(); });
}

FitResult Trainer::Run::resume(const std::filesystem::path& run_dir, const ResumeOptions& options) {
  std::optional<SignalWatch> watch;
  if (options_.handle_signals) watch.emplace();
  check_floating_point();
  const FlushDenormals mode;
  trainer_.stop_requested_ = false;
  return train([&] { take_up(run_dir, options); });
}

// The newest checkpoint of that directory becomes the state of this run.
void Trainer::Run::take_up(const std::filesystem::path& run_dir, const ResumeOptions& options) {
  std::error_code none;
  const auto dir =
      std::filesystem::is_regular_file(run_dir, none) ? std::filesystem::absolute(run_dir).parent_path() : run_dir;
  read_data();
  settings_ = settings();
  auto loaded = CheckpointStore::load_newest(dir);
  if (!loaded)
    fail<CheckpointError>("resume: want the directory of a run, such as runs/mnist/1; got ", dir,
                          ", which has no checkpoints");
  check_fits(trainer_.model_, loaded->state);
  resumed_ = true;
  set_lr(given_lr());
  add_guards();
  check_settings(loaded->state.settings, options);
  if (options_.checkpoints) open_store(dir, loaded->sequence);
  restore(loaded->state);
  result_.run_dir = dir.string();
  open_log(loaded->state.log_length);
  last_good_ = std::move(loaded->state);
  result_.checkpoint = loaded->path.string();
  begun_ = true;
  start_event();
  for (const std::string& skipped : loaded->skipped)
    warn({.name = "checkpoint_skipped",
          .step = progress_.step,
          .evidence = skipped,
          .cause = "a damaged disk or file",
          .remedy = concat("nothing needs to be done: the run resumed from ", loaded->path)});
  trainer_.on_fit_start();
  trainer_.on_train_start();
}

// Takes the lock of the directory.
void Trainer::Run::open_store(const std::filesystem::path& run_dir, std::optional<std::int64_t> resumed_from) {
  store_ = std::make_unique<CheckpointStore>(run_dir, options_.checkpoints->keep_last, resumed_from, *files_);
}

void Trainer::Run::open_log(std::uint64_t length) {
  if (!options_.metrics_csv) return;
  const std::filesystem::path path = options_.metrics_csv->empty()
                                         ? std::filesystem::path(result_.run_dir) / MetricsLog::file_name
                                         : *options_.metrics_csv;
  log_ = std::make_shared<MetricsLog>(path, options_.log_every_n_steps, length, posix_file_system());
  sinks_.push_back(log_);
}

// Of a run that ended before its first step, nothing is left behind.
void Trainer::Run::discard_directory() {
  if (made_dir_.empty()) return;
  store_.reset();
  std::error_code none;
  std::filesystem::remove(made_dir_ / MetricsLog::file_name, none);
  std::filesystem::remove(made_dir_ / CheckpointStore::lock_name, none);
  std::filesystem::remove(made_dir_, none);  // unless somebody has put something there
  result_.run_dir.clear();
}

// Another library may have changed them, such as one that was linked with -ffast-math.
void Trainer::Run::check_floating_point() {
  const bool rounds = fp_mode::rounds_to_nearest(), flushes = fp_mode::flushes_denormals();
  if (rounds && !flushes) return;
  warn({.name = "floating_point_mode",
        .evidence = concat(rounds ? "" : "results are not rounded to nearest", !rounds && flushes ? ", and " : "",
                           flushes ? "denormal numbers are flushed to zero" : ""),
        .cause = "another library, or code linked with -ffast-math, changed the mode of the processor",
        .remedy = "call fesetenv(FE_DFL_ENV) for other code; this run sets its own mode"});
}

// Whatever ends the training, all of the end is gone through, and the first exception goes on to the caller.
FitResult Trainer::Run::train(const std::function<void()>& begin) {
  std::exception_ptr error;
  const auto go_through = [&](auto&& part) {
    try {
      part();
    } catch (...) {
      if (error) return;
      error = std::current_exception();
      result_.reason = StopReason::exception;
      if (!announced_) return;
      if (std::exchange(in_step_, false)) restore_buffers();
      try {
        trainer_.on_exception(error);
      } catch (...) {
        return;  // the one before is what is wrong
      }
    }
  };
  go_through([&] {
    try {
      polls_ = true;
      begin();
      clock_ = tried_time_ = now();
      tried_step_ = progress_.step;
      tried_epoch_ = progress_.epoch;
      saved_position_ = {progress_.micro_step, progress_.epoch, evaluated_at_};
      run_epochs();
    } catch (const Interrupted&) {
      // Before the first step: the reason is in the result.
    }
  });
  polls_ = false;
  ended_ = true;
  if (!begun_) discard_directory();
  if (error && !announced_) std::rethrow_exception(error);
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
  const bool finds_lr = !options_.lr && !resumed_ && !options_.fast_dev_run;
  const Plan plan{.model = trainer_.model_,
                  .optimizer = *optimizer_,
                  .own_schedule = own_schedule(),
                  .lr = finds_lr ? std::nullopt : std::optional(decisions_.lr),
                  .lr_source = lr_source(),
                  .loader = *loader_,
                  .batches = batches(),
                  .validation = validation_ ? &*validation_ : nullptr,
                  .validation_source = data_.validation_source,
                  .is_raw = data_.train.dataset().is_raw(),
                  .run_dir = result_.run_dir};
  result_.summary = summarise(options_, plan);
  if (resumed_) result_.summary.insert(result_.summary.begin(), {"resumed", resumed_text()});
  const FitStart event{.summary = result_.summary,
                       .epochs = options_.epochs,
                       .batches_per_epoch = batches(),
                       .planned_steps = decisions_.planned_steps};
  announced_ = true;
  for (const auto& sink : sinks()) sink->fit_start(event);
}

std::string Trainer::Run::resumed_text() const {
  std::string text = concat("at step ", progress_.step, ", epoch ", progress_.epoch, ", from ", result_.checkpoint);
  if (progress_.epoch > options_.epochs)
    text += concat("; it has finished its ", options_.epochs, " epochs: for more of them allow \"epochs\"");
  else if (early_stopping_.stop())
    text += "; it had stopped early: there is nothing left to do";
  return text;
}

// What the summary could not know.
void Trainer::Run::train_start_event() {
  TrainStart event{.found = found_};
  if (!options_.lr && !options_.fast_dev_run) event.found.push_back({"lr", lr_text(decisions_.lr, lr_source())});
  if (const auto& constants = trainer_.info_.normalization; constants && !options_.normalization)
    event.found.push_back({"normalization", normalization_text(*constants, "of the training split")});
  if (const std::string schedule = own_schedule(); !schedule.empty() && !options_.lr)
    event.found.push_back({"lr schedule", schedule_text(schedule)});
  for (const SummaryItem& item : event.found) {
    const auto known = std::ranges::find(result_.summary, item.name, &SummaryItem::name);
    if (known != result_.summary.end())
      *known = item;
    else
      result_.summary.push_back(item);
  }
  for (const auto& sink : sinks()) sink->train_start(event);
}

// What an override of configure_schedule does; empty when the schedule is the Trainer's own.
std::string Trainer::Run::own_schedule() const {
  if (!(decisions_.lr > 0)) return {};  // the Trainer's own schedule would refuse it
  return describe_own_schedule(schedule_, trainer_.Trainer::configure_schedule(decisions_.lr, decisions_.planned_steps),
                               decisions_.planned_steps);
}

std::string Trainer::Run::lr_source() const {
  if (options_.lr) {
    const Index batch = options_.batch_size * options_.accumulate_grad_batches;
    return decisions_.lr == *options_.lr
               ? "given"
               : concat("given as ", *options_.lr, " for ", reference_batch, " samples per step, scaled to ", batch);
  }
  if (resumed_) return "as when the run began";
  if (!result_.lr_finder || !result_.lr_finder->suggestion) return "the optimizer's default";
  return concat("by the LR finder", result_.lr_finder->few_samples ? ", by its rule for small data sets" : "",
                result_.lr_finder->low_confidence ? "; a rate ten times lower or higher may do as well" : "",
                result_.lr_finder->censored ? "; no rate of the sweep was too high" : "");
}

void Trainer::Run::run_epochs() {
  // A run resumed may have ended for good, or stopped just before an evaluation.
  if (early_stopping_.stop()) result_.reason = StopReason::early_stopping;
  if (goes_on() && evaluation_due()) evaluate();
  while (progress_.epoch <= options_.epochs && goes_on()) {
    const double start = now();
    loader_->start_epoch(progress_.epoch);
    if (progress_.batch == 0) trainer_.on_epoch_start(progress_.epoch);
    look_for_stop();
    while (progress_.batch < batches() && goes_on()) {
      const bool updated = train_step(), evaluated = evaluation_due() && evaluate();
      if (--steps_to_clock_ <= 0 || !updated) look_at_clock();
      look_for_stop();
      if (goes_on() && progress_.batch < batches() && (evaluated || (updated && checkpoint_due()))) keep_progress();
    }
    if (progress_.batch == batches() && !stopped_by_guard_) end_epoch(start);
  }
}

void Trainer::Run::look_for_stop() {
  if (!goes_on()) return;
  if (trainer_.stop_requested_) result_.reason = StopReason::requested;
  if (const int signal = SignalWatch::received(); signal != 0 && options_.handle_signals) {
    result_.reason = StopReason::interrupted;
    result_.signal = signal;
  }
}

// Called between two pieces of work that may take as long as a step. Before the first step it leads out of whatever is
// under way; later a signal does, and stop() waits for the step.
void Trainer::Run::poll() {
  if (!polls_) return;
  look_for_stop();
  if (result_.reason == StopReason::interrupted || (result_.reason == StopReason::requested && !begun_))
    throw Interrupted();
}

void Trainer::Run::poll(const char* what, Index done, Index total) {
  if (!polls_) return;  // the arms of try_fix and find_lr report nothing
  for (const auto& sink : sinks()) sink->activity({.what = what, .done = done, .total = total});
  poll();
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
