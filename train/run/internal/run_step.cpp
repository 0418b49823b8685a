// One optimizer step of a run, and what is done when it goes wrong.
#include <algorithm>
#include <cmath>
#include <string_view>

#include <handrail/core/error.h>
#include <handrail/core/kernels/kernels.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/finite.h>
#include <handrail/optim/clip.h>
#include <handrail/train/guards/layer_guard.h>
#include <handrail/train/guards/loss_guards.h>
#include <handrail/train/guards/progress_guards.h>
#include <handrail/train/math/smoothing.h>
#include <handrail/train/metrics/metrics.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {
namespace {

void copy(const Tensor& from, const Tensor& to) { std::ranges::copy(from.span(), to.mutable_data()); }

std::string place_of(std::string_view layer) { return concat("layer '", layer, "'"); }

}  // namespace

// Divergence looks at the spikes, so it comes behind the guard that finds them.
void Trainer::Run::add_guards() {
  const GuardOptions& on = options_.guards;
  const std::int64_t planned = decisions_.planned_steps, warmup = trainer_.warmup_steps(planned);
  const auto add = [&](auto guard) {
    auto* raw = guard.get();
    guards_.push_back(std::move(guard));
    return raw;
  };
  if (on.non_finite) non_finite_ = add(std::make_unique<NonFiniteGuard>());
  if (on.spike || on.divergence) add(std::make_unique<LossGuard>(on.spike, on.divergence, warmup, on.spike_rule));
  if (on.plateau) add(std::make_unique<PlateauGuard>(steps_to_epoch(), planned, on.plateau_rule));
  if (on.slow_progress) add(std::make_unique<SlowProgressGuard>(warmup, planned));
  if (on.overfitting && !options_.overfit_batches) add(std::make_unique<OverfittingGuard>());
  if (on.clip_pressure && options_.clip_norm) add(std::make_unique<ClipPressureGuard>(warmup));
  if (on.layers) {
    std::vector<std::string> names;
    for (const std::string& layer : optimizer_->layers()) names.push_back(place_of(layer));
    layer_guard_ = add(std::make_unique<LayerGuard>(std::move(names)));
  }
}

// Returns whether the step was made.
bool Trainer::Run::train_step() {
  const Index first = progress_.batch;
  const Index count = std::min(options_.accumulate_grad_batches, batches() - first);
  StepStats stats{.step = progress_.step + 1,
                  .micro_step = progress_.micro_step,
                  .epoch = progress_.epoch,
                  .batch = first + count,
                  .samples = 0,
                  .loss = 0,
                  .ema_loss = ema_.value(),
                  .grad_norm = 0,
                  .lr = schedule_(progress_.step + 1) * progress_.lr_factor};
  if (!quiet_) trainer_.on_step_start(stats.step);
  optimizer_->zero_grad();
  save_buffers();
  in_step_ = true;
  Ruling ruling;
  const auto loss_is_fine = [&](double loss) {
    stats.loss = loss;
    judge(&Guard::check_loss, stats, ruling);
    if (non_finite_ && !is_finite(loss)) ruling.action = std::max(ruling.action, Action::skip);
    return ruling.action == Action::proceed;
  };
  if (backward(first, count, stats, std::ref(loss_is_fine))) {  // a reference: a copy would call the heap
    stats.grad_norm = optimizer_->grad_norm();
    stats.layer_norms = optimizer_->layer_norms();
    judge(&Guard::check_gradients, stats, ruling);
    if (non_finite_ && !is_finite(stats.grad_norm)) ruling.action = std::max(ruling.action, Action::skip);
    if (ruling.action == Action::proceed) update(stats, ruling);
  }
  progress_.batch += count;
  progress_.micro_step += count;
  in_step_ = false;
  stats.updated = ruling.action == Action::proceed;
  if (stats.updated)
    accept(stats, ruling);
  else
    reject();
  const bool measured = stats.updated && !quiet_ && stats.step % options_.log_every_n_steps == 0;
  if (measured) measure_layers(stats, ruling);
  act(ruling);  // before the hooks, which may throw
  if (quiet_) return stats.updated;
  for (const auto& sink : sinks()) sink->step_end(stats);
  trainer_.on_step_end(stats);
  if (!measured) return stats.updated;
  for (const auto& sink : sinks()) sink->layers(layer_report_);
  trainer_.on_log(stats, layer_report_);
  return stats.updated;
}

// Forward and backward of the batches of one step: their gradients add up to that of the mean loss over
// all their samples. Asks about each loss before its backward.
bool Trainer::Run::backward(Index first, Index count, StepStats& stats,
                            const std::function<bool(double)>& loss_is_fine) {
  for (Index i = first; i < first + count; ++i) stats.samples += std::ssize(loader_->rows(i));
  double mean_loss = 0;
  step_metrics_.clear();
  for (Index i = first; i < first + count; ++i) {
    const Batch batch = loader_->batch(i);
    const double weight = static_cast<double>(batch.inputs.shape()[0]) / static_cast<double>(stats.samples);
    Tape tape(Mode::train, {.seed = decisions_.seed, .position = position(i - first)});
    const StepOutput output = training_output(batch, i);
    const auto loss = static_cast<double>(output.loss.item());
    mean_loss += weight * loss;
    if ((count == 1 || !is_finite(loss)) && !loss_is_fine(loss)) return false;
    tape.backward(count == 1 ? output.loss : output.loss * weight);
    add_metrics(step_metrics_, output.metrics, weight);
  }
  return count == 1 || loss_is_fine(mean_loss);
}

// Where the i-th batch of a step stands in the random streams: sweeps and checks draw other numbers
// than the run itself.
std::uint64_t Trainer::Run::position(Index i) const {
  constexpr std::uint64_t rehearsals = std::uint64_t{1} << 62;
  return static_cast<std::uint64_t>(progress_.micro_step + i) + (rehearsal_ ? rehearsals : 0);
}

StepOutput Trainer::Run::training_output(const Batch& batch, Index number) {
  StepOutput output = named_rows("training", *loader_, number, [&] { return trainer_.training_step(batch); });
  if (output.loss.size() != 1)
    fail<ShapeError>("training_step: want a loss of one element; got shape ", output.loss.shape());
  return output;
}

void Trainer::Run::judge(std::optional<Finding> (Guard::*check)(const StepStats&), const StepStats& stats,
                         Ruling& ruling) {
  for (const auto& guard : guards_)
    if (auto finding = (*guard.*check)(stats)) [[unlikely]] {
      // A layer that is not trained has no gradient to vanish.
      if (guard.get() == layer_guard_ && is_frozen(finding->anomaly.where)) continue;
      ruling.add(report(std::move(*finding), &stats));
    }
}

bool Trainer::Run::is_frozen(const std::string& place) const {
  return std::ranges::none_of(parameters_, [&](const Parameter& p) {
    return p.tensor.requires_grad() && place_of(optim::layer_of(p.name)) == place;
  });
}

void Trainer::Run::update(StepStats& stats, Ruling& ruling) {
  const bool clip = options_.clip_norm && is_finite(stats.grad_norm);
  const double scale = clip ? optim::clip_scale(stats.grad_norm, *options_.clip_norm) : 1.0;
  stats.clipped = scale < 1;
  const bool measured = stats.step % options_.log_every_n_steps == 0;
  if (measured)
    for (std::size_t p = 0; p < parameters_.size(); ++p) copy(parameters_[p].tensor, weights_before_[p]);
  try {
    optimizer_->step(stats.lr, scale, options_.guards.non_finite);
  } catch (const NonFiniteError& error) {
    ruling.add(report(non_finite_->update_failed(stats, error.where, error.what()), &stats));
    ruling.action = std::max(ruling.action, Action::skip);
  }
}

void Trainer::Run::accept(StepStats& stats, Ruling& ruling) {
  ++progress_.step;
  ema_.add(stats.loss);
  stats.ema_loss = ema_.value();
  const auto samples = static_cast<double>(stats.samples);
  progress_.epoch_loss += stats.loss * samples;
  progress_.epoch_samples += stats.samples;
  add_metrics(progress_.epoch_metrics, step_metrics_, samples);
  judge(&Guard::accepted, stats, ruling);
}

void Trainer::Run::reject() {
  ++progress_.skipped;
  restore_buffers();
}

void Trainer::Run::restore_buffers() {
  for (std::size_t b = 0; b < buffers_.size(); ++b) copy(saved_buffers_[b], buffers_[b].tensor);
}

void Trainer::Run::save_buffers() {
  for (std::size_t b = 0; b < buffers_.size(); ++b) copy(buffers_[b].tensor, saved_buffers_[b]);
}

void Trainer::Run::act(const Ruling& ruling) {
  if (ruling.action == Action::reduce_lr || ruling.action == Action::rollback) progress_.lr_factor *= ruling.lr_factor;
  if (ruling.action == Action::rollback) roll_back();
  if (ruling.action != Action::stop) return;
  result_.reason = StopReason::guard;
  stopped_by_guard_ = true;
}

// The weights and moments of the last good state; the batches that led away from it are behind us and
// the schedule goes on, so that a run always ends.
void Trainer::Run::roll_back() {
  if (last_good_.parameters.empty()) return;  // before the first step
  restore_weights(last_good_);
  ++progress_.rollbacks;
  ema_ = Ema(options_.ema_beta.value_or(0));
  for (const auto& guard : guards_) guard->rolled_back();
  probed_at_ = -1;
}

// Tells sinks and user of a finding; the answer is what is to be done.
Trainer::Run::Ruling Trainer::Run::report(Finding finding, const StepStats* stats) {
  Anomaly& anomaly = finding.anomaly;
  if (stats && anomaly.name == "non_finite") explain(anomaly, *stats);
  if (!quiet_) anomaly.action = trainer_.on_anomaly(anomaly);
  const bool lowers = anomaly.action == Action::reduce_lr || anomaly.action == Action::rollback;
  const Ruling ruling{anomaly.action, !lowers ? 1 : finding.lr_factor < 1 ? finding.lr_factor : 0.5};
  if (quiet_) return ruling;
  // A run that skips every other step must not fill the memory with records of it.
  constexpr std::int64_t most_of_a_kind = 100;
  if (++result_.anomaly_counts[anomaly.name] > most_of_a_kind && anomaly.action <= Action::skip) return ruling;
  for (const auto& sink : sinks()) sink->anomaly(anomaly);
  result_.anomalies.push_back(std::move(anomaly));
  return ruling;
}

// The state of the layers after an update, while its gradients are at hand.
void Trainer::Run::measure_layers(const StepStats& stats, Ruling& ruling) {
  optimizer_->measure_layers(measures_);
  moved_.assign(measures_.size() + 1, 0);  // the last one: parameters that are not optimized
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    const auto now = parameters_[p].tensor.span(), before = weights_before_[p].span();
    moved_[layer_of_parameter_[p]] += kernels_here().squared_distance(now.data(), before.data(), std::ssize(now));
  }
  auto& layers = layer_report_.layers;
  layers.resize(measures_.size());
  for (std::size_t l = 0; l < measures_.size(); ++l) {
    const optim::LayerMeasure& measure = measures_[l];
    LayerStats& layer = layers[l];
    layer.name = measure.name;
    layer.grad_norm = measure.grad_norm;
    layer.grad_mean = measure.grad_mean;
    layer.grad_max = measure.grad_max;
    layer.update_ratio = measure.weight_norm > 0 ? std::sqrt(moved_[l]) / measure.weight_norm : 0;
    layer.dead_units = measure.dead_units.value_or(0);
  }
  layer_report_.step = stats.step;
  if (layer_guard_)
    if (auto finding = layer_guard_->check_units(layer_report_)) ruling.add(report(std::move(*finding)));
}

// Of something that is about no step; what the user answers is done all the same, while there is time.
void Trainer::Run::warn(Anomaly anomaly) {
  const Ruling ruling = report({.anomaly = std::move(anomaly)});
  if (!ended_) act(ruling);
}

}  // namespace handrail::train
