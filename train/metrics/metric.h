#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <handrail/core/tensor.h>

namespace handrail::train {

/// What a class needs to be a metric: a name, a state that batches are added to, and the result over all of them. It
/// must be copyable. An example:
///
///   struct Mape {  // the mean absolute percentage error
///     std::string name() const { return "mape"; }
///     void add(const Tensor& predictions, const Tensor& targets) {
///       for (Index i = 0; i < targets.size(); ++i, ++count)
///         sum += std::abs(1 - static_cast<double>(predictions.data()[i] / targets.data()[i]));
///     }
///     double result() const { return 100 * sum / static_cast<double>(count); }
///     double sum = 0;
///     Index count = 0;
///   };
template <class M>
concept MetricState = std::copy_constructible<M> &&
    requires(M state, const M& full, const Tensor& predictions, const Tensor& targets) {
  { full.name() } -> std::convertible_to<std::string>;
  state.add(predictions, targets);
  { full.result() } -> std::convertible_to<double>;
};

/// A metric of any class that satisfies MetricState, held as a value; TrainerOptions::metrics lists them. Every
/// evaluation copies the metric, adds its batches to the copy and asks the copy once for the result. So the result is
/// over the whole evaluation, not a mean over batches, and evaluations share no state.
class Metric {
 public:
  /// A metric of any class. The compiler says what is missing when the class is no MetricState.
  template <class M>
  requires(std::is_class_v<M> && !std::same_as<M, Metric>) Metric(M state)  // implicit: .metrics = {F1{}, Mape{}}
      : state_(make(std::move(state))) {}
  /// A copy has a state of its own, with the batches that were added before.
  Metric(const Metric& other) : state_(other.state_->clone()) {}
  Metric(Metric&&) noexcept = default;
  Metric& operator=(Metric other) noexcept {
    state_ = std::move(other.state_);
    return *this;
  }
  ~Metric() = default;

  /// The name; the value of an evaluation is logged as val_NAME.
  std::string name() const { return state_->name(); }
  /// Adds a batch: predictions [N, ...] as the model returns them, and targets [N, ...]. Throws what the metric throws.
  void add(const Tensor& predictions, const Tensor& targets) { state_->add(predictions, targets); }
  /// The value over all batches added; the metrics of this library return NaN where it is not defined.
  double result() const { return state_->result(); }

 private:
  struct State {
    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    virtual ~State() = default;
    virtual std::unique_ptr<State> clone() const = 0;
    virtual std::string name() const = 0;
    virtual void add(const Tensor& predictions, const Tensor& targets) = 0;
    virtual double result() const = 0;
  };
  template <class M>
  struct Holder final : State {
    explicit Holder(const M& state) : held(state) {}
    std::unique_ptr<State> clone() const override { return std::make_unique<Holder>(held); }
    std::string name() const override { return held.name(); }
    void add(const Tensor& predictions, const Tensor& targets) override { held.add(predictions, targets); }
    double result() const override { return static_cast<double>(held.result()); }
    M held;
  };
  // Checked here and not in the constraint, so that the compiler prints this text and not that no constructor matches.
  template <class M>
  static std::unique_ptr<State> make(M state) {
    static_assert(MetricState<M>,
                  "a metric needs: std::string name() const; void add(const Tensor& predictions, const Tensor& "
                  "targets); double result() const; and a copy constructor");
    if constexpr (MetricState<M>)
      return std::make_unique<Holder<M>>(state);
    else
      return nullptr;
  }

  std::unique_ptr<State> state_;
};

}  // namespace handrail::train
