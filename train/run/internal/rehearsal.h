#pragma once

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/optim/clip.h>
#include <handrail/train/run/internal/run.h>

namespace handrail::train {

// While it lives the run rehearses, with other random numbers. At its end, exceptions or not, everything is
// as it was before.
class Trainer::Run::Rehearsal {
 public:
  explicit Rehearsal(Run& run) : run_(run), moments_(run.optimizer_->state()), progress_(run.progress_) {
    run_.keep_weights(parameters_, buffers_);
    run_.rehearsal_ = true;
  }
  ~Rehearsal() {
    run_.optimizer_->zero_grad();
    run_.optimizer_->load_state(moments_);
    run_.put_back_weights(parameters_, buffers_);
    run_.progress_ = std::move(progress_);
    run_.loader_->start_epoch(run_.progress_.epoch);
    run_.rehearsal_ = false;
  }
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;

  /// One step at that rate, clipped as in the run. Returns the loss before it; it or the step itself may
  /// turn out not to be finite, then nothing is changed.
  double step(double lr, Index first, Index count) {
    StepStats stats{};
    double seen = 0;
    run_.optimizer_->zero_grad();
    const bool finite = run_.backward(first, count, stats, [&](double loss) {
      seen = loss;
      return is_finite(loss);
    });
    run_.progress_.micro_step += count;
    if (!finite) return seen;
    const double norm = run_.optimizer_->grad_norm();
    if (!is_finite(norm)) return norm;
    const auto clip = run_.options_.clip_norm;
    try {
      run_.optimizer_->step(lr, clip ? optim::clip_scale(norm, *clip) : 1.0);
    } catch (const NonFiniteError&) {
      refused_ = true;
    }
    return seen;
  }
  /// Whether an update would have been non-finite.
  bool refused() const { return refused_; }

 private:
  Run& run_;
  optim::OptimizerState moments_;
  Progress progress_;
  NamedTensors parameters_, buffers_;
  bool refused_ = false;
};

}  // namespace handrail::train
