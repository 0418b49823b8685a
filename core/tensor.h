#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <utility>

#include <handrail/core/system/pool.h>
#include <handrail/core/shape.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

class Tensor;
class HeldSpan;

namespace storage {

/// What a Tensor handle points to: the head of a pool block, with the elements behind it unless the
/// tensor is a view of another one.
struct TensorImpl : pool::Block {
  std::atomic<std::uint32_t> references = 1;
  std::uint32_t version = 0;  // counts writes; a view counts in its base
  Scalar* data = nullptr;     // aligned to 64 bytes
  Shape shape;
  TensorImpl* base = nullptr;  // the owner of the elements, when this is a view
  TensorImpl* grad = nullptr;  // of a leaf; the memory stays when the gradient is cleared
  const char* op = "leaf";     // who made it
  std::uint64_t tape = 0;      // serial of the tape that knows it, 0 for none
  std::int32_t node = -1;      // its place there
  bool requires_grad = false;  // a leaf whose gradient is wanted
  bool has_grad = false;
};

void destroy(TensorImpl* impl) noexcept;
[[noreturn]] void use_of_undefined_tensor();

}  // namespace storage

/// A handle to contiguous row-major elements of type Scalar. Copying a handle shares the elements,
/// as in PyTorch; clone() copies them. A default-constructed tensor is undefined.
///
/// Threads: handles may be copied, read and destroyed on any thread; writing to the elements needs
/// the user's own synchronisation, and so does using one parameter on the tapes of two threads.
class Tensor {
 public:
  Tensor() = default;
  /// Elements are not initialised (NaN in a build with assertions): for ops, which write them all.
  explicit Tensor(const Shape& shape);
  /// Copies the values. Throws ShapeError when their count is not the shape's.
  Tensor(const Shape& shape, std::span<const Scalar> values);
  Tensor(const Shape& shape, std::initializer_list<Scalar> values)
      : Tensor(shape, std::span(values.begin(), values.size())) {}
  static Tensor full(const Shape& shape, Scalar value);
  static Tensor zeros(const Shape& shape) { return full(shape, 0); }
  static Tensor ones(const Shape& shape) { return full(shape, 1); }
  /// A tensor of rank 0.
  static Tensor scalar(Scalar value) { return full({}, value); }

  Tensor(const Tensor& other) noexcept : impl_(other.impl_) {
    if (impl_) impl_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Tensor(Tensor&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(impl_, other.impl_);
    return *this;
  }
  ~Tensor() {
    if (impl_ && impl_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) storage::destroy(impl_);
  }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl().shape; }
  Index size() const { return shape().size(); }

  /// The elements, for reading. Valid while a handle to the tensor lives.
  const Scalar* data() const { return impl().data; }
  std::span<const Scalar> span() const& { return {data(), static_cast<std::size_t>(size())}; }
  HeldSpan span() const&&;
  /// The elements, for writing; counts as a change, which backward notices in tensors it saved.
  Scalar* mutable_data() const {
    ++owner().version;
    return impl().data;
  }
  std::span<Scalar> mutable_span() const { return {mutable_data(), static_cast<std::size_t>(size())}; }
  /// The only element. Throws ShapeError when there are more or none.
  Scalar item() const;
  /// One element by its position; negative indices count from the end. Throws ShapeError.
  Scalar at(std::initializer_list<Index> position) const;
  /// A copy with elements of its own, on no tape.
  Tensor clone() const;
  /// The same elements as a constant: on no tape, without gradient.
  Tensor detach() const;
  /// The same elements in another shape of the same size, on no tape. For a recorded one see reshape().
  Tensor view(const Shape& shape) const;

  /// Makes this tensor a leaf whose gradient backward computes, or a constant again.
  /// Throws TapeError for the output of a recorded op.
  void set_requires_grad(bool on) const;
  bool requires_grad() const { return impl().requires_grad; }
  /// The gradient of a leaf; undefined until a backward has reached it and after zero_grad().
  Tensor grad() const;
  /// Forgets the gradient; its memory is used again by the next backward.
  void zero_grad() const { impl().has_grad = false; }

  /// Counts the writes to the elements.
  std::uint32_t version() const { return owner().version; }
  /// The name of the op that made this tensor; "leaf" for one made by hand.
  const char* op() const { return impl().op; }
  /// Whether both handles share one tensor.
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }

 private:
  friend class Tape;
  friend class Input;

  explicit Tensor(storage::TensorImpl* impl) : impl_(impl) {}
  storage::TensorImpl& impl() const {
    if (!impl_) [[unlikely]]
      storage::use_of_undefined_tensor();
    return *impl_;
  }
  storage::TensorImpl& owner() const {
    storage::TensorImpl& own = impl();
    return own.base ? *own.base : own;
  }

  storage::TensorImpl* impl_ = nullptr;
};

/// The elements of a temporary tensor, with a handle: for (const Scalar p : trainer.predict(x).span()) is right,
/// and so is a variable of type auto. As a plain std::span they are valid while the temporary lives.
class HeldSpan : public std::span<const Scalar> {
 public:
  explicit HeldSpan(Tensor tensor) : std::span<const Scalar>(tensor.span()), tensor_(std::move(tensor)) {}

 private:
  Tensor tensor_;
};
inline HeldSpan Tensor::span() const&& { return HeldSpan(*this); }

/// Prints as PyTorch does, with the shape behind: Tensor([[1, 2.5], [-3, 4]], shape [2, 2]), a line for each row.
/// Four digits; of more than 1,000 elements the first and the last three along each dimension.
/// A tensor of rank 0 prints as Tensor(0.25), an undefined one as Tensor(undefined).
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
