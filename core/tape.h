#pragma once

#include <atomic>
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

/// Whether ops run for training or for evaluation, which differ in dropout and batch_norm.
enum class Mode { train, eval };

/// The position of a training step in the counter-based random streams. With the same seed and position, every op draws
/// the same numbers on any number of threads.
struct RandomPosition {
  std::uint64_t seed;      // the same for all steps of a run
  std::uint64_t position;  // differs from step to step, such as the count of micro-batches
};

inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// A tensor that an op saves for the backward pass. Reading it throws TapeError when its elements were written to after
/// it was saved, as the gradient would be wrong.
class Saved {
 public:
  /// Keeps a handle to the tensor, not a copy of its elements, and the number of writes to them so far.
  explicit Saved(Tensor tensor) : tensor_(std::move(tensor)), version_(tensor_.version()) {}
  /// The tensor. Throws TapeError when its elements were written to after it was saved.
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

/// An input of an op: a reference to a tensor, valid during the call that it is passed to.
class Input {
 public:
  Input(const Tensor& tensor) : impl_(&tensor.impl()) {}  // implicit, so that ops can write {x, weight}
  /// A handle to the tensor. When it requires_grad(), it is a leaf.
  Tensor tensor() const;

 private:
  friend class Tape;
  storage::TensorImpl* impl_;
};

/// Where an op writes the gradient of one input. It assigns the elements when `accumulate` is false, else adds to them.
struct GradTarget {
  Scalar* data;     // as many elements as the input has
  bool accumulate;  // whether the gradient has a value already
};

/// The gradient of one input of an op, as far as backward has summed it up.
struct InputGrad {
  Tensor leaf;  // the input, when it is a leaf; else undefined
  Tensor grad;  // of the input's shape
};

/// A tape calls its observer for every op that runs, for example to find the first value that is not finite.
class TapeObserver {
 public:
  virtual ~TapeObserver() = default;
  /// Called after an op has computed `output` from the inputs. `node` counts the recorded ops from 0; it is -1 for an
  /// op that is not recorded because none of its inputs needs a gradient.
  virtual void forward(const char* op, Index node, std::span<const Input> inputs, const Tensor& output) = 0;
  /// Called after the backward function of a recorded op has run on output_grad; nodes come from the last to the first.
  /// `inputs` has those inputs that need a gradient.
  virtual void backward(const char* op, Index node, const Tensor& output_grad, std::span<const InputGrad> inputs) = 0;
};

/// A view of the gradient of a leaf, without a handle to it.
struct LeafGrad {
  const Scalar* data;     // null when there is no gradient or the leaf does not require one
  std::uint32_t version;  // counts the writes to the gradient; it never falls, also when the memory is replaced
};

/// How often backward has written to the gradient of a leaf. Neither count ever falls.
struct GradCounts {
  std::uint32_t writes;    // each time that an op adds to it or other code writes to grad()
  std::uint32_t renewals;  // of these, how many found no gradient there, so that nothing was added to an older one
};

/// The figures of a tape, which outlive it.
struct TapeRecord {
  std::uint64_t serial = 0;                   // tells tapes apart; 0 for none
  Mode mode = Mode::train;                    // whether its ops ran for training
  std::optional<RandomPosition> random = {};  // absent for a tape without random streams
  std::uint32_t random_calls = 0;             // how many ops have drawn random numbers
};

class Tape;

/// The gradient of one input of an op during backward. It can only be added to.
class GradSlot {
 public:
  /// Whether the gradient of this input is needed. When it is not, += does nothing.
  bool needed() const { return code_ != none; }
  /// The shape of the input. Throws TapeError unless needed().
  const Shape& shape() const;
  /// Adds a tensor of the input's shape, an Eigen array of one column with all its elements in order, or an Eigen
  /// matrix or array with the rows and columns of the input as a matrix [rows, cols]. Needs <handrail/core/eigen.h>.
  /// Throws ShapeError when the shape does not fit. The expression is not evaluated when the gradient is not needed.
  template <class Expression>
  void operator+=(const Expression& value) const;
  /// The memory of the gradient, for ops that write through a pointer. Throws TapeError unless needed(). Call it once
  /// for each time that the gradient is added to: the next call says `accumulate`.
  GradTarget target() const;

 private:
  friend class Tape;
  friend class Backward;
  static constexpr std::int32_t none = -1;
  GradSlot(Tape* tape, std::int32_t code) : tape_(tape), code_(code) {}

  Tape* tape_;
  std::int32_t code_;  // the number of a node when >= 0; `none`; else -2 minus the number of a leaf
};

/// The argument of an op's backward function: the gradient of its output and the slots of its inputs.
class Backward {
 public:
  /// The gradient of the loss with respect to the output, of the output's shape.
  const Tensor& output_grad() const { return output_grad_; }
  /// The slot of the i-th input, in the order given to Tape::record. Throws TapeError when there is no such input.
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
/// The tape is a Wengert list: recording order is topological order, so backward is one loop from the last op to the
/// first. At most one tape is active on a thread, from its construction to its backward or destruction. Without an
/// active tape, nothing is recorded and ops run for evaluation. While a tape in train mode is active, denormal numbers
/// are flushed to zero on its thread. Threads: a tape belongs to the thread that made it. It may be destroyed by
/// another one when no op runs at that time; its thread then has no active tape.
class Tape {
 public:
  /// A tape without random streams. Throws TapeError when another tape is active on this thread.
  explicit Tape(Mode mode = Mode::train) : Tape(mode, std::nullopt) {}
  /// A tape with random streams, for ops such as dropout. Throws TapeError when another tape is active on this thread.
  Tape(Mode mode, RandomPosition random) : Tape(mode, std::optional(random)) {}
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Adds d loss / d leaf to grad() of every leaf that requires a gradient and that the loss depends on. Then the tape
  /// forgets its ops and is no longer active. Throws TapeError when backward was called before, when the loss was not
  /// computed on this tape or when a saved tensor was changed; ShapeError when the loss has not one element. An error
  /// while backward runs leaves all leaves of the tape without a gradient, rather than with a part of one.
  void backward(const Tensor& loss);

  /// The number of recorded ops.
  std::size_t size() const;
  /// The leaves that recorded ops have read so far: the tensors that backward may give a gradient to.
  std::span<const Tensor> leaves() const;

  /// Calls the observer for every op from now on that runs while this tape is active and not suspended, recorded or
  /// not, and for the backward of this tape. The observer must live as long as the tape. Null ends it.
  void observe(TapeObserver* observer) { observer_ = observer; }
  /// The next tape of this thread begins with this observer, if it still exists, and keeps it until it ends: for code
  /// that does not make the tape itself. Null takes that back.
  static void observe_next(const std::shared_ptr<TapeObserver>& observer);

  /// The gradient of a leaf, faster than Tensor::grad(): for code that looks at many leaves in every step.
  static LeafGrad leaf_grad(const Tensor& leaf) {
    const storage::TensorImpl& impl = leaf.impl();
    if (!impl.has_grad || !impl.requires_grad) return {nullptr, 0};
    return {impl.grad->data, impl.grad->version};
  }

  /// How often the gradient of a leaf was written to: 0 before the first backward that reached it.
  static GradCounts grad_counts(const Tensor& leaf) {
    const storage::TensorImpl& impl = leaf.impl();
    return {impl.grad ? impl.grad->version : 0, impl.renewals};
  }
  /// The tape that recorded a tensor, when it is the last one of this thread; it may have ended. Nothing for a tensor
  /// that no tape recorded, or an older one.
  static std::optional<TapeRecord> record_of(const Tensor& tensor) {
    const bool is_last = tensor.impl().tape == last_.serial && last_.serial != 0 && !tensor.requires_grad();
    return is_last ? std::optional(last_) : std::nullopt;
  }

  /// The active tape of this thread, or null.
  static Tape* active() {
    if (orphans_.load(std::memory_order_relaxed) != orphans_seen_) [[unlikely]]
      look_for_orphan();
    return active_.tape;
  }
  /// Whether ops run for training: whether the active tape is in train mode.
  static bool training() {
    const Tape* tape = active();
    return tape && tape->mode_ == Mode::train;
  }
  /// The position of the active tape in the random streams. Sets `call`, which counts the random ops of the tape from
  /// 0, so that each op draws other numbers. Throws TapeError naming `op` when no active tape has random streams.
  static RandomPosition next_random(const char* op, std::uint32_t& call);

  /// Every op calls this function with its output. When a tape is active and one of the inputs needs a gradient, the
  /// tape stores `backward`, a callable that takes a const Backward&, for the backward pass. Returns `output`, which
  /// must be a new tensor. `op` must outlive the output; a string literal does. Throws TapeError when an input belongs
  /// to a tape that no longer exists; detach() makes it a constant.
  template <class F>
  static Tensor record(const char* op, std::initializer_list<Input> inputs, Tensor output, F&& backward) {
    return record(op, std::span(inputs.begin(), inputs.size()), std::move(output), std::forward<F>(backward));
  }
  template <class F>
  static Tensor record(const char* op, std::span<const Input> inputs, Tensor output, F&& backward) {
    using Closure = std::decay_t<F>;
    static_assert(alignof(Closure) <= alignof(std::max_align_t));
    if (Tape* tape = active(); tape && !tape->suspended_ && tape->tracks(op, inputs, output)) {
      auto* closure =
          ::new (tape->allocate(op, inputs.size(), output, sizeof(Closure))) Closure(std::forward<F>(backward));
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
  void* allocate(const char* op, std::size_t input_count, const Tensor& output, std::size_t closure_bytes);
  void push(const char* op, std::span<const Input> inputs, const Tensor& output, void* closure, Calls calls) noexcept;
  std::int32_t code_of(storage::TensorImpl& input);
  void run_backward(const Tensor& loss);
  bool show_forward(const char* op, std::span<const Input> inputs, const Tensor& output, bool recorded) const;
  void show_backward(std::size_t node, const Tensor& output_grad) const;
  GradTarget target(std::int32_t code);
  static void renew_grad(storage::TensorImpl& leaf);
  const Shape& shape(std::int32_t code) const;
  void clear() noexcept;
  void finish() noexcept;
  static void look_for_orphan() noexcept;

  // A tape, and its number, which tells whether the tape still exists.
  struct Active {
    Tape* tape;
    std::uint64_t serial;
  };
  static inline thread_local constinit Active active_ = {nullptr, 0};
  static inline thread_local constinit TapeRecord last_ = {};  // of the tape that was made last
  // How many tapes were destroyed where they were not the active one, and how many of them this thread knows of.
  static inline constinit std::atomic<std::uint64_t> orphans_ = 0;
  static inline thread_local constinit std::uint64_t orphans_seen_ = 0;

  std::uint64_t serial_;
  bool live_ = true;  // until backward
  std::unique_ptr<Memory> memory_;
  std::optional<RandomPosition> random_;
  std::optional<FlushDenormals> flush_;
  TapeObserver* observer_ = nullptr;
  std::uint32_t random_calls_ = 0;
  Mode mode_;
  bool suspended_ = false;
};

/// While it lives, the active tape of this thread records nothing. The mode, train or eval, stays as it is.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  Tape* tape_ = nullptr;  // the tape that this object suspended
};

/// While it lives, this thread has no active tape: nothing is recorded and ops run for evaluation. The tape that was
/// active is so again afterwards, unless it was destroyed in the meantime.
class InferenceMode {
 public:
  InferenceMode() : hidden_(std::exchange(Tape::active_, {nullptr, 0})) {}
  ~InferenceMode() {
    Tape::active_ = hidden_;
    Tape::look_for_orphan();
  }
  InferenceMode(const InferenceMode&) = delete;
  InferenceMode& operator=(const InferenceMode&) = delete;

 private:
  Tape::Active hidden_;
};

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
