#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include <handrail/core/denormals.h>
#include <handrail/core/tensor.h>

namespace handrail {

/// What layers such as Dropout and BatchNorm1d do differently while training.
enum class Mode { train, eval };

/// Where a training step stands in the counter-based random streams: with the same seed and position
/// every op draws the same numbers, on any number of threads.
struct RandomPosition {
  std::uint64_t seed;
  std::uint64_t position;  // of the step: the count of micro-batches, say
};

inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// A tensor kept for the backward pass. Reading it there throws TapeError when it was written to
/// after it was saved: its gradient would be wrong.
class Saved {
 public:
  explicit Saved(Tensor tensor) : tensor_(std::move(tensor)), version_(tensor_.version()) {}
  const Tensor& operator*() const {
    if (tensor_.version() != version_) [[unlikely]]
      changed();
    return tensor_;
  }
  const Tensor* operator->() const { return &**this; }

 private:
  [[noreturn]] void changed() const;

  Tensor tensor_;
  std::uint32_t version_;
};

/// An input of a recorded op: a reference to a tensor that is at hand during the call.
class Input {
 public:
  Input(const Tensor& tensor) : impl_(&tensor.impl()) {}  // implicit: ops write {x, weight}

 private:
  friend class Tape;
  storage::TensorImpl* impl_;
};

/// Where an op writes the gradient of one input: assign when `accumulate` is false, else add.
struct GradTarget {
  Scalar* data;
  bool accumulate;
};

class Tape;

/// The gradient of one input of an op during backward; it can only be added to.
class GradSlot {
 public:
  /// Whether anybody wants this gradient; += does nothing otherwise.
  bool needed() const { return code_ != none; }
  /// Of the input; only when needed(), else TapeError.
  const Shape& shape() const;
  /// Adds an Eigen expression or a tensor of the input's size (include <handrail/core/eigen.h>).
  /// The expression is not evaluated when the gradient is not needed.
  template <class Expression>
  void operator+=(const Expression& value) const;
  /// For kernels that write through a pointer; only when needed(), else TapeError. Call it once per
  /// gradient written.
  GradTarget target() const;

 private:
  friend class Tape;
  friend class Backward;
  static constexpr std::int32_t none = -1;
  GradSlot(Tape* tape, std::int32_t code) : tape_(tape), code_(code) {}

  Tape* tape_;
  std::int32_t code_;  // >= 0: a node; none; else -2 - leaf
};

/// What the backward function of an op gets: the gradient of its output and the slots of its inputs.
class Backward {
 public:
  /// Of the output's shape.
  const Tensor& output_grad() const { return output_grad_; }
  /// The slot of the i-th recorded input. Throws TapeError when there is none.
  GradSlot operator[](std::size_t i) const;

 private:
  friend class Tape;
  Backward(Tape& tape, std::span<const std::int32_t> inputs, const Tensor& output_grad)
      : tape_(tape), inputs_(inputs), output_grad_(output_grad) {}

  Tape& tape_;
  std::span<const std::int32_t> inputs_;
  const Tensor& output_grad_;
};

/// Records the ops of one forward pass and differentiates them:
///
///   Tape tape;
///   const Tensor loss = cross_entropy(model(x), y);
///   tape.backward(loss);                    // every leaf it reached now has grad()
///
/// A Wengert list: recording order is topological order, so backward is one loop from the last op to
/// the first. One tape per thread is active at a time, from its construction to its backward or its
/// end. Without an active tape nothing is recorded and the mode is evaluation. While it is active in
/// train mode, denormal numbers are flushed to zero on this thread.
class Tape {
 public:
  /// Throws TapeError when another tape is active on this thread.
  explicit Tape(Mode mode = Mode::train) : Tape(mode, std::nullopt) {}
  /// With random streams, for ops such as dropout.
  Tape(Mode mode, RandomPosition random) : Tape(mode, std::optional(random)) {}
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Adds d loss / d leaf to grad() of every leaf that requires it and that the loss depends on, then
  /// forgets the recorded ops. Throws TapeError when it was called before, when the loss was not
  /// computed on this tape or when a saved tensor was changed; ShapeError when it is not a single
  /// element. When it throws, the leaves it had reached have no gradient rather than a part of one.
  void backward(const Tensor& loss);

  /// The number of recorded ops.
  std::size_t size() const;
  /// The leaves recorded so far: the tensors that backward may give a gradient to.
  std::span<const Tensor> leaves() const;

  /// The active tape of this thread, or null.
  static Tape* active() { return active_; }
  /// Whether ops run in training: there is an active tape in train mode.
  static bool training() { return active_ != nullptr && active_->mode_ == Mode::train; }
  /// Counter words for the next random op of this step; a different one each call.
  /// Throws TapeError naming `op` when the active tape has no random streams.
  static RandomPosition next_random(const char* op, std::uint32_t& call);

  /// Called by every op: returns `output` and, when a tape is active and one of the inputs needs a
  /// gradient, remembers `backward`, a callable taking const Backward&, for the backward pass.
  /// The output must be a new tensor. `op` must outlive the output (a string literal).
  /// Throws TapeError when an input belongs to a tape that is gone; detach() makes it a constant.
  template <class F>
  static Tensor record(const char* op, std::initializer_list<Input> inputs, Tensor output, F&& backward) {
    return record(op, std::span(inputs.begin(), inputs.size()), std::move(output), std::forward<F>(backward));
  }
  template <class F>
  static Tensor record(const char* op, std::span<const Input> inputs, Tensor output, F&& backward) {
    using Closure = std::decay_t<F>;
    static_assert(alignof(Closure) <= alignof(std::max_align_t));
    if (Tape* tape = active_; tape && !tape->suspended_ && tape->tracks(op, inputs)) {
      auto* closure = ::new (tape->allocate(op, output, sizeof(Closure))) Closure(std::forward<F>(backward));
      tape->push(op, inputs, output, closure,
                 {[](void* self, const Backward& b) { (*static_cast<Closure*>(self))(b); },
                  [](void* self) noexcept { static_cast<Closure*>(self)->~Closure(); }});
    }
    return output;
  }

 private:
  friend class NoGrad;
  friend class InferenceMode;
  friend class GradSlot;
  friend class Backward;
  struct Node;
  struct Memory;
  struct Calls {
    void (*run)(void*, const Backward&);
    void (*destroy)(void*) noexcept;
  };

  Tape(Mode mode, std::optional<RandomPosition> random);
  bool tracks(const char* op, std::span<const Input> inputs) const;
  void* allocate(const char* op, const Tensor& output, std::size_t closure_bytes);
  void push(const char* op, std::span<const Input> inputs, const Tensor& output, void* closure, Calls calls);
  std::int32_t code_of(storage::TensorImpl& input);
  void run_backward(const Tensor& loss);
  GradTarget target(std::int32_t code);
  const Shape& shape(std::int32_t code) const;
  void clear() noexcept;
  void finish() noexcept;

  static inline thread_local constinit Tape* active_ = nullptr;

  std::uint64_t serial_;
  std::unique_ptr<Memory> memory_;
  std::optional<RandomPosition> random_;
  std::optional<FlushDenormals> flush_;
  std::uint32_t random_calls_ = 0;
  Mode mode_;
  bool suspended_ = false;
};

/// Suspends recording on this thread while it lives; the mode stays as it is.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  Tape* tape_ = nullptr;  // that this one suspended
};

/// Hides the active tape of this thread while it lives: nothing is recorded and the mode is
/// evaluation, as without a tape.
class InferenceMode {
 public:
  InferenceMode() : hidden_(std::exchange(Tape::active_, nullptr)) {}
  ~InferenceMode() { Tape::active_ = hidden_; }
  InferenceMode(const InferenceMode&) = delete;
  InferenceMode& operator=(const InferenceMode&) = delete;

 private:
  Tape* hidden_;
};

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
