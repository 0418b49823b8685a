#include <handrail/core/tape.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <handrail/core/error.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

// Allocates closures one after another in chunks of memory, which are kept from tape to tape.
class Arena {
 public:
  void* allocate(std::size_t bytes) {
    bytes = (bytes + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);
    while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].size) {
      ++chunk_;
      used_ = 0;
    }
    if (chunk_ == chunks_.size()) {
      const std::size_t size = std::max(bytes, chunk_bytes);
      chunks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
      used_ = 0;
    }
    return chunks_[chunk_].bytes.get() + std::exchange(used_, used_ + bytes);
  }
  void reset() noexcept { chunk_ = used_ = 0; }

 private:
  static constexpr std::size_t chunk_bytes = 64 << 10;
  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size;
  };
  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0;
  std::size_t used_ = 0;
};

// A tape that was destroyed where it was not the active one: by another thread, or in InferenceMode. The thread that
// has it as its active one finds it in orphan_list().
struct Orphan {
  std::uint64_t serial;
  unsigned long fp_mode;  // of its thread, before the tape
  bool has_mode;
};

namespace {

std::uint64_t next_serial() {
  static constinit std::atomic<std::uint64_t> serial{1};
  return serial.fetch_add(1, std::memory_order_relaxed);
}

std::mutex orphan_mutex;
std::list<Orphan>& orphan_list() {
  static auto* list = new std::list<Orphan>;  // lives as long as any thread
  return *list;
}

// Makes room for `count` more elements, so that adding them cannot fail.
template <class T>
void make_room(std::vector<T>& list, std::size_t count) {
  if (list.capacity() - list.size() < count) [[unlikely]]
    list.reserve(std::max(2 * list.capacity(), list.size() + count));
}

[[noreturn]] void not_needed(const char* asked) {
  fail<TapeError>("want ", asked, "() of an input for which needed() is true; got one for which it is false");
}

}  // namespace

struct Tape::Node {
  const char* op;
  void* closure;
  Calls calls;
  std::size_t first_input;
  std::size_t input_count;
  Shape shape;
  Tensor grad;
};

struct Tape::Memory {
  std::vector<Node> nodes;
  std::vector<std::int32_t> inputs;
  std::vector<Tensor> leaves;
  Arena arena;
  std::list<Orphan> orphan;                // one, for orphan_list(): the destructor of a tape takes no memory
  std::shared_ptr<TapeObserver> observer;  // with which the tape began

  // The memory of the last tape of this thread, which the next one takes over.
  static thread_local std::unique_ptr<Memory> spare;
  static thread_local std::weak_ptr<TapeObserver> next_observer;
};
thread_local std::unique_ptr<Tape::Memory> Tape::Memory::spare;
thread_local std::weak_ptr<TapeObserver> Tape::Memory::next_observer;

void Saved::changed() const {
  fail<TapeError>("a tensor saved for backward, shape ", tensor_.shape(), ", output of '", tensor_.op(),
                  "', was written to after it was saved (version ", version_, ", now ", tensor_.version(), "); ",
                  tensor_.requires_grad() ? "it is a parameter: call optimizer.step after backward"
                                          : "write to a clone(), or after backward");
}

Tensor Input::tensor() const {
  impl_->references.fetch_add(1, std::memory_order_relaxed);
  return Tensor(impl_);
}

const Shape& GradSlot::shape() const {
  if (!needed()) [[unlikely]]
    not_needed("shape");
  return tape_->shape(code_);
}
GradTarget GradSlot::target() const {
  if (!needed()) [[unlikely]]
    not_needed("target");
  return tape_->target(code_);
}

GradSlot Backward::operator[](std::size_t i) const {
  if (i >= inputs_.size()) fail<TapeError>("want an input in [0, ", inputs_.size(), "); got b[", i, "]");
  return {&tape_, inputs_[i]};
}

Tape::Tape(Mode mode, std::optional<RandomPosition> random) : random_(random), mode_(mode) {
  if (active())
    fail<TapeError>("Tape: another tape is active on this thread; end it, or call its backward, before the next one");
  serial_ = next_serial();
  memory_ = Memory::spare ? std::move(Memory::spare) : std::make_unique<Memory>();
  if (memory_->orphan.empty()) {
    orphan_list();
    memory_->orphan.emplace_back();
  }
  if (mode == Mode::train) flush_.emplace();
  memory_->observer = Memory::next_observer.lock();
  Memory::next_observer.reset();
  observer_ = memory_->observer.get();
  active_ = {this, serial_};
  last_ = {.serial = serial_, .mode = mode, .random = random};
}

Tape::~Tape() {
  finish();
  clear();
  memory_->observer.reset();
  Memory::spare = std::move(memory_);
}

void Tape::observe_next(const std::shared_ptr<TapeObserver>& observer) { Memory::next_observer = observer; }

std::size_t Tape::size() const { return memory_->nodes.size(); }

std::span<const Tensor> Tape::leaves() const { return memory_->leaves; }

RandomPosition Tape::next_random(const char* op, std::uint32_t& call) {
  Tape* tape = active();
  if (!tape || !tape->random_)
    fail<TapeError>(op,
                    ": want a tape with a position in the random streams, as in "
                    "Tape tape{Mode::train, {.seed = 42, .position = step}}; got ",
                    tape ? "one without" : "no tape");
  call = tape->random_calls_++;
  last_.random_calls = tape->random_calls_;
  return *tape->random_;
}

bool Tape::tracks(const char* op, std::span<const Input> inputs, const Tensor& output) const {
  bool any = false;
  for (const Input input : inputs) {
    const storage::TensorImpl& impl = *input.impl_;
    if (impl.requires_grad || impl.tape == serial_)
      any = true;
    else if (impl.tape != 0) [[unlikely]]
      fail<TapeError>(op, ": an input of shape ", impl.shape, ", output of '", impl.op,
                      "', belongs to a tape that no longer exists; detach() makes it a constant");
  }
  if (observer_) [[unlikely]]
    return show_forward(op, inputs, output, any);
  return any;
}

bool Tape::show_forward(const char* op, std::span<const Input> inputs, const Tensor& output, bool recorded) const {
  observer_->forward(op, recorded ? std::ssize(memory_->nodes) : -1, inputs, output);
  return recorded;
}

void* Tape::allocate(const char* op, std::size_t input_count, const Tensor& output, std::size_t closure_bytes) {
  const storage::TensorImpl& out = output.impl();
  if (out.tape != 0 || out.requires_grad) [[unlikely]]
    fail<TapeError>(op, ": want a new tensor as output; got one that is ",
                    out.requires_grad ? "a leaf" : "the output of another op");
  if (memory_->nodes.size() >= std::numeric_limits<std::int32_t>::max() - 2) [[unlikely]]
    fail<TapeError>(op, ": the tape is full: ", memory_->nodes.size(), " ops");
  make_room(memory_->nodes, 1);
  make_room(memory_->inputs, input_count);
  make_room(memory_->leaves, input_count);
  return memory_->arena.allocate(closure_bytes);
}

void Tape::push(const char* op, std::span<const Input> inputs, const Tensor& output, void* closure,
                Calls calls) noexcept {
  Memory& memory = *memory_;
  storage::TensorImpl& out = output.impl();
  const std::size_t first = memory.inputs.size();
  for (const Input input : inputs) memory.inputs.push_back(code_of(*input.impl_));
  memory.nodes.push_back({.op = op,
                          .closure = closure,
                          .calls = calls,
                          .first_input = first,
                          .input_count = inputs.size(),
                          .shape = out.shape,
                          .grad = {}});
  out.tape = serial_;
  out.node = static_cast<std::int32_t>(memory.nodes.size() - 1);
  out.op = op;
}

std::int32_t Tape::code_of(storage::TensorImpl& input) {
  if (!input.requires_grad) return input.tape == serial_ ? input.node : GradSlot::none;
  if (input.tape != serial_) {
    input.node = static_cast<std::int32_t>(memory_->leaves.size());
    input.references.fetch_add(1, std::memory_order_relaxed);
    memory_->leaves.push_back(Tensor(&input));
    input.tape = serial_;
  }
  return -2 - input.node;
}

void Tape::backward(const Tensor& loss) {
  if (active() != this)
    fail<TapeError>(
        "Tape::backward: this tape is not active on this thread: it has already run backward, or belongs to another "
        "thread; record the next step on a new tape");
  if (loss.size() != 1) fail<ShapeError>("Tape::backward: want a loss of one element; got shape ", loss.shape());
  if (loss.impl().tape != serial_ || loss.impl().requires_grad)
    fail<TapeError>(
        "Tape::backward: want a loss computed on this tape from a tensor that requires a gradient; got one of '",
        loss.op(), "'; was it computed before the tape was made, or detached?");
  active_ = {nullptr, 0};
  live_ = false;
  try {
    run_backward(loss);
  } catch (...) {
    for (const Tensor& leaf : memory_->leaves) leaf.zero_grad();
    finish();
    clear();
    throw;
  }
  finish();
  clear();
}

void Tape::run_backward(const Tensor& loss) {
  auto& nodes = memory_->nodes;
  const auto last = static_cast<std::size_t>(loss.impl().node);
  nodes[last].grad = Tensor::full(loss.shape(), 1);
  for (std::size_t i = last + 1; i-- > 0;) {
    Node& node = nodes[i];
    if (node.grad.defined()) {
      const Tensor output_grad = std::move(node.grad);
      const std::span inputs(memory_->inputs.data() + node.first_input, node.input_count);
      try {
        node.calls.run(node.closure, Backward(*this, inputs, output_grad));
      } catch (const ShapeError& error) {
        fail<ShapeError>("backward of '", node.op, "': ", error.what());
      } catch (const TapeError& error) {
        fail<TapeError>("backward of '", node.op, "': ", error.what());
      }
      if (observer_) [[unlikely]]
        show_backward(i, output_grad);
    }
    // Frees the tensors that the op saved: their memory serves the next gradients.
    node.calls.destroy(std::exchange(node.closure, nullptr));
  }
}

void Tape::show_backward(std::size_t number, const Tensor& output_grad) const {
  const Node& node = memory_->nodes[number];
  std::vector<InputGrad> inputs;
  for (const std::int32_t code : std::span(memory_->inputs.data() + node.first_input, node.input_count)) {
    if (code == GradSlot::none) continue;
    const Tensor leaf = code >= 0 ? Tensor() : memory_->leaves[static_cast<std::size_t>(-2 - code)];
    const Tensor grad = code >= 0 ? memory_->nodes[static_cast<std::size_t>(code)].grad : leaf.grad();
    if (grad.defined()) inputs.push_back({leaf, grad});
  }
  observer_->backward(node.op, static_cast<Index>(number), output_grad, inputs);
}

void Tape::renew_grad(storage::TensorImpl& leaf) {
  Tensor grad(leaf.shape);
  grad.impl().version = leaf.grad ? leaf.grad->version : 0;
  std::swap(leaf.grad, grad.impl_);
}

GradTarget Tape::target(std::int32_t code) {
  if (code >= 0) {
    Node& node = memory_->nodes[static_cast<std::size_t>(code)];
    if (node.grad.defined()) return {node.grad.mutable_data(), true};
    node.grad = Tensor(node.shape);
    return {node.grad.mutable_data(), false};
  }
  storage::TensorImpl& leaf = memory_->leaves[static_cast<std::size_t>(-2 - code)].impl();
  // A gradient of an earlier step that still has another handle keeps its memory; this step gets its own.
  if (!leaf.grad || (!leaf.has_grad && leaf.grad->references.load(std::memory_order_acquire) > 1)) [[unlikely]]
    renew_grad(leaf);
  ++leaf.grad->version;
  if (!leaf.has_grad) ++leaf.renewals;
  return {leaf.grad->data, std::exchange(leaf.has_grad, true)};
}

const Shape& Tape::shape(std::int32_t code) const {
  return code >= 0 ? memory_->nodes[static_cast<std::size_t>(code)].shape
                   : memory_->leaves[static_cast<std::size_t>(-2 - code)].shape();
}

void Tape::clear() noexcept {
  for (Node& node : memory_->nodes)
    if (node.closure) node.calls.destroy(node.closure);
  memory_->nodes.clear();
  memory_->inputs.clear();
  memory_->leaves.clear();
  memory_->arena.reset();
}

void Tape::finish() noexcept {
  if (live_ && active_.serial != serial_) {
    const std::lock_guard lock(orphan_mutex);
    memory_->orphan.front() = {serial_, flush_ ? flush_->release() : 0, flush_.has_value()};
    orphan_list().splice(orphan_list().end(), memory_->orphan);
    orphans_.fetch_add(1, std::memory_order_relaxed);
  } else if (live_) {
    active_ = {nullptr, 0};
  }
  live_ = false;
  flush_.reset();
}

void Tape::look_for_orphan() noexcept {
  const std::uint64_t orphans = orphans_.load(std::memory_order_relaxed);
  orphans_seen_ = orphans;
  if (orphans == 0 || !active_.tape) return;
  const std::lock_guard lock(orphan_mutex);
  std::list<Orphan>& list = orphan_list();
  const auto found = std::ranges::find(list, active_.serial, &Orphan::serial);
  if (found == list.end()) return;
  if (found->has_mode) fp_mode::set(found->fp_mode);
  list.erase(found);
  active_ = {nullptr, 0};
}

NoGrad::NoGrad() {
  if (Tape* tape = Tape::active(); tape && !tape->suspended_) {
    tape->suspended_ = true;
    tape_ = tape;
  }
}

NoGrad::~NoGrad() {
  if (tape_ && Tape::active() == tape_) tape_->suspended_ = false;
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
