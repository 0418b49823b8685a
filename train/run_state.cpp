// What a run remembers: copies of its state, in memory and on disk, and whether they are worth it.
#include <algorithm>
#include <bit>
#include <cctype>
#include <cerrno>  // program_invocation_short_name
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/finite.h>
#include <handrail/train/checkpoint.h>
#include <handrail/train/checkpoint_store.h>
#include <handrail/train/data_part.h>
#include <handrail/train/run.h>

namespace handrail::train {
namespace {

// Fowler, Noll, Vo: 64-bit FNV-1a.
class Fingerprint {
 public:
  template <class T>
  void add(const T& value) {
    for (const char c : concat(value, ';')) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * prime;
  }
  void add_bits(const Tensor& tensor) {
    for (const std::byte byte : std::as_bytes(tensor.span())) hash_ = (hash_ ^ std::to_integer<unsigned>(byte)) * prime;
  }
  std::uint64_t value() const { return hash_; }

 private:
  static constexpr std::uint64_t prime = 0x100000001B3;
  std::uint64_t hash_ = 0xCBF29CE484222325;
};

// A few samples stand for all. What a data set makes up anew at each reading cannot be compared.
void add_samples(Fingerprint& print, const DataPart& part) {
  constexpr Index some = 64;
  const auto rows = sample_rows(part, some);
  const Batch once = gather(part, rows), again = gather(part, rows);
  const auto same = [](const Tensor& a, const Tensor& b) {
    return std::ranges::equal(std::as_bytes(a.span()), std::as_bytes(b.span()));
  };
  if (same(once.inputs, again.inputs)) print.add_bits(once.inputs);
  if (same(once.targets, again.targets)) print.add_bits(once.targets);
}

}  // namespace

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
                      .fingerprint = fingerprint_};
  keep_weights(state.parameters, state.buffers);
  state.progress.seconds += clock_ - start_;
  for (const auto& guard : guards_) state.guards[guard->name()] = guard->state();
  state.guards["early_stopping"] = early_stopping_.state();
  state.guards["ema"] = ema_.state();
  state.guards["evaluated_at"] = {static_cast<double>(evaluated_at_)};
  state.guards["healthy_below"] = {healthy_below_};
  for (const Parameter& p : parameters_) state.guards["trained"].push_back(p.tensor.requires_grad() ? 1 : 0);
  return state;
}

// Into a run that has not begun. The model comes last: when something does not fit it is as it was.
void Trainer::Run::restore(const TrainingState& state) {
  if (state.fingerprint != fingerprint_)
    fail<CheckpointError>(
        "resume: want the data, model and options that the run began with; got others (samples, split, batch size, "
        "epochs, limits, seed, rate, schedule, decay, clip, optimizer, monitor, or the parameters)");
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
  decisions_ = state.decisions;
  set_lr(decisions_.lr);
  progress_ = state.progress;
  result_.epochs = progress_.epoch - 1;
  best_ = state.best;
  best_parameters_ = state.best_parameters;
  best_buffers_ = state.best_buffers;
  optimizer_->load_state(state.optimizer);
  put_back_weights(state.parameters, state.buffers);
  // What a hook has frozen stays so.
  for (std::size_t p = 0; p < parameters_.size(); ++p) parameters_[p].tensor.set_requires_grad(trained[p] != 0);
}

// Of what must not change while a run goes on.
std::uint64_t Trainer::Run::fingerprint_of_run() const {
  Fingerprint print;
  const TrainerOptions& o = options_;
  for (const Index value :
       {o.epochs, o.batch_size, o.accumulate_grad_batches, Index{o.drop_last}, batches(), loader_->samples(),
        validation_ ? validation_->samples() : 0, o.limit_val_batches.value_or(-1), Index{o.val_check_interval}})
    print.add(value);
  for (const auto& value : {o.lr, o.warmup, o.weight_decay, o.clip_norm, o.ema_beta}) print.add(value.value_or(-1));
  for (const int value : {static_cast<int>(o.decay), static_cast<int>(o.lr_scaling), int{o.decay_exempt},
                          static_cast<int>(o.mode), static_cast<int>(o.improvement)})
    print.add(value);
  print.add(o.monitor);
  print.add(decisions_.seed);
  print.add(optimizer_->settings());
  for (const Parameter& p : parameters_) {
    print.add(p.name);
    print.add(p.tensor.shape());
  }
  if (decisions_.normalization)
    for (const double constant : {decisions_.normalization->mean, decisions_.normalization->stddev})
      print.add(std::bit_cast<std::uint64_t>(constant));
  add_samples(print, {data_.train, data_.train_rows});
  if (data_.validation) add_samples(print, {*data_.validation, data_.validation_rows});
  return print.value();
}

void Trainer::Run::keep_good_state() { last_good_ = capture(); }

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
    explicit Aside(Run& run) : run_(run) {
      run_.save_buffers();
      run_.rehearsal_ = true;
    }
    ~Aside() {
      run_.restore_buffers();
      run_.rehearsal_ = false;
    }
    Run& run_;
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
    path = store_->save(state, improved_);
  } catch (const CheckpointError& error) {
    warn({.name = "checkpoint_failed",
          .step = progress_.step,
          .evidence = error.what(),
          .cause = "the disk, or a value that is not finite",
          .remedy = "make room, or set checkpoints = off"});
    return;
  }
  result_.checkpoint = path.string();
  saved_micro_step_ = state.progress.micro_step;
  improved_ = false;
  if (!store_->rotation_problem().empty())
    warn({.name = "checkpoint_rotation",
          .step = progress_.step,
          .evidence = store_->rotation_problem(),
          .cause = "the disk, or rights in the directory",
          .remedy = "remove old checkpoints by hand, or they fill the disk"});
  trainer_.on_checkpoint(path);
}

void Trainer::Run::note_attempt() {
  tried_step_ = progress_.step;
  tried_epoch_ = progress_.epoch;
  tried_time_ = clock_;
}

// The program's name may hold what a name of a run must not.
std::string Trainer::Run::run_name() const {
  if (!options_.checkpoints->name.empty()) return options_.checkpoints->name;
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
