#include <handrail/train/run/loop/good_state.h>

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/data/internal/hash.h>
#include <handrail/train/math/initial_loss.h>

namespace handrail::train {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

bool is_same(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && same_bits(a.span(), b.span()); }

bool same_values(const NamedTensors& a, const NamedTensors& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return is_same(x.second, y.second); });
}

}  // namespace

bool GoodState::due() const {
  constexpr std::int64_t interval = 1000;  // steps
  const bool is_time = at_.batch == 0 || at_.evaluated_at == at_.step || at_.step % interval == 0;
  return is_time && at_.batch < setup_.batches() && (at_.step != tried_step_ || at_.epoch != tried_epoch_);
}

void GoodState::note_attempt() {
  tried_step_ = at_.step;
  tried_epoch_ = at_.epoch;
}

void GoodState::set(TrainingState state) {
  state_ = std::move(state);
  state_.good = nullptr;
}

bool GoodState::is(const TrainingState& present) const {
  if (torn_) return true;
  const auto position = [](const TrainingState& state) {
    const Progress& p = state.progress;
    return std::tuple(p.micro_step, p.epoch, p.lr_factor, p.rollbacks, state.log_length);
  };
  const auto same_optimizer = [](const auto& a, const auto& b) {
    return a.second.t == b.second.t && std::ranges::equal(a.second.slots, b.second.slots, is_same);
  };
  return position(present) == position(state_) && present.guards == state_.guards &&
         same_values(present.parameters, state_.parameters) && same_values(present.buffers, state_.buffers) &&
         std::ranges::equal(present.optimizer, state_.optimizer, same_optimizer);
}

void GoodState::restore() {
  write_back(setup_.parameters, setup_.buffers, state_.parameters, state_.buffers);
  setup_.optimizer->load_state(state_.optimizer);
  measured_at_ = -1;
}

// The loss of a batch of this epoch in training mode.
double GoodState::loss_of(Index batch, Index draw) const {
  const Tape tape(Mode::train, at_.rehearsal_random(setup_.decisions.seed, draw));
  return static_cast<double>(setup_.training_output(setup_.loader->batch(batch), batch).loss.item());
}

void GoodState::measure_start(const std::function<void(Index done, Index total)>& poll) {
  constexpr double max_growth = 10;
  constexpr auto batches = static_cast<Index>(InitialLoss::wanted);
  const BuffersAside aside(buffers_);
  InitialLoss initial;
  for (Index i = 0; i < batches; ++i) {
    poll(i, batches);
    const double loss = loss_of(i % setup_.batches(), i);
    if (!is_finite(loss)) return;
    initial.add(loss);
  }
  healthy_below_ = initial.mean() + max_growth * std::max(initial.magnitude(), initial.spread());
}

bool GoodState::is_healthy() const {
  if (healthy_below_ == infinity) return true;
  if (measured_at_ == at_.micro_step) return was_healthy_;
  const BuffersAside aside(buffers_);
  constexpr Index max_batches = 3;  // one may be an unusual batch
  for (Index i = 0; i < std::min(max_batches, setup_.batches()); ++i)
    if (loss_of(i, 0) <= healthy_below_) return true;
  return false;
}

bool GoodState::check_health() {
  was_healthy_ = is_healthy();
  measured_at_ = at_.micro_step;
  return was_healthy_;
}

void GoodState::visit_state(StateVisitor& state) {
  bool known = healthy_below_ < infinity, measured = measured_at_ >= 0;
  state.flag(known);
  if (known) state.number(healthy_below_);
  state.count(tried_step_);
  state.count(tried_epoch_);
  state.flag(measured);
  if (measured) state.count(measured_at_);
  state.flag(was_healthy_);
  if (!known) healthy_below_ = infinity;
  if (!measured) measured_at_ = -1;
}

}  // namespace handrail::train
