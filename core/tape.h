#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include <handrail/core/system/denormals.h>
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
  /// The tensor itself. It is a leaf that is trained when requires_grad().
  Tensor tensor() const;

 private:
  friend class Tape;
  storage::TensorImpl* impl_;
};

/// Where an op writes the gradient of one input: assign when `accumulate` is false, else add.
struct GradTarget {
  Scalar* data;
  bool accumulate;
};

/// What backward has written so far of the gradient of one input of an op.
struct InputGrad {
  Tensor leaf;  // the input when it is a leaf, else undefined
  Tensor grad;  // of the input's shape
};

/// Is told of the ops of a tape as they run: to find the first value that is not finite, say.
class TapeObserver {
 public:
  virtual ~TapeObserver() = default;
  /// An op made `output` of the inputs. `node` counts the recorded ops from 0; it is -1 for an op that
  /// is not recorded, as none of its inputs needs a gradient.
  virtual void forward(const char* op, Index node, std::span<const Input> inputs, const Tensor& output) = 0;
  /// The backward function of a recorded op ran on output_grad; nodes come from the last to the first.
  /// `inputs` has the inputs of which a gradient is wanted.
  virtual void backward(const char* op, Index node, const Tensor& output_grad, std::span<const InputGrad> inputs) = 0;
};

/// The gradient of a leaf as it stands, without a handle to it.
struct LeafGrad {
  const Scalar* data;     // null when there is none, or none is wanted
  std::uint32_t version;  // counts the writes to it; it only grows, also when its memory is replaced
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

  /// Tells the observer of all ops from now on that run while this tape is active and not suspended,
  /// recorded or not, and of its backward. It must live as long as the tape; null for none.
  void observe(TapeObserver* observer) { observer_ = observer; }

  /// The gradient of a leaf, for those who look at many in every step.
  static LeafGrad leaf_grad(const Tensor& leaf) {
    const storage::TensorImpl& impl = leaf.impl();
    if (!impl.has_grad || !impl.requires_grad) return {nullptr, 0};
    return {impl.grad->data, impl.grad->version};
  }

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
    if (Tape* tape = active_; tape && !tape->suspended_ && tape->tracks(op, inputs, output)) {
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
  bool tracks(const char* op, std::span<const Input> inputs, const Tensor& output) const;
  void* allocate(const char* op, const Tensor& output, std::size_t closure_bytes);
  void push(const char* op, std::span<const Input> inputs, const Tensor& output, void* closure, Calls calls);
  std::int32_t code_of(storage::TensorImpl& input);
  void run_backward(const Tensor& loss);
  bool show_forward(const char* op, std::span<const Input> inputs, const Tensor& output, bool recorded) const;
  void show_backward(std::size_t node, const Tensor& output_grad) const;
  GradTarget target(std::int32_t code);
  static void renew_grad(storage::TensorImpl& leaf);
  const Shape& shape(std::int32_t code) const;
  void clear() noexcept;
  void finish() noexcept;

  static inline thread_local constinit Tape* active_ = nullptr;

  std::uint64_t serial_;
  std::unique_ptr<Memory> memory_;
  std::optional<RandomPosition> random_;
  std::optional<FlushDenormals> flush_;
  TapeObserver* observer_ = nullptr;
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
