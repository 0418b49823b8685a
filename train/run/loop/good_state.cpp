#include <handrail/train/run/loop/good_state.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/math/initial_loss.h>

namespace handrail::train {

void GoodState::keep(TrainingState state) {
  for (const auto& [name, kept] : state.optimizer)
    for (const Tensor& slot : kept.slots)
      if (first_non_finite(slot.span()) >= 0) return;
  state_ = std::move(state);
}

void GoodState::restore() {
  train::restore(setup_.model, state_.parameters, state_.buffers);
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

bool GoodState::is_healthy() {
  if (healthy_below_ == std::numeric_limits<double>::infinity()) return true;
  if (measured_at_ == at_.micro_step) return was_healthy_;
  const BuffersAside aside(buffers_);
  constexpr Index max_batches = 3;  // one may be an unusual batch
  was_healthy_ = false;
  for (Index i = 0; i < std::min(max_batches, setup_.batches()) && !was_healthy_; ++i)
    was_healthy_ = loss_of(i, 0) <= healthy_below_;
  measured_at_ = at_.micro_step;
  return was_healthy_;
}

}  // namespace handrail::train
