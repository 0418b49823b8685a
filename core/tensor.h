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

/// What Tensor handles point to.
namespace storage {

/// The object that Tensor handles point to: the head of a pool block. The elements follow it in memory, unless the
/// tensor is a view of another one.
struct TensorImpl : pool::Block {
  /// The number of handles to it, of views of it, and of leaves whose gradient it is.
  std::atomic<std::uint32_t> references = 1;
  std::uint32_t version = 0;   // counts the writes to the elements; a view counts them in its base
  Scalar* data = nullptr;      // aligned to 64 bytes
  Shape shape;                 // a view may have another one than its base
  TensorImpl* base = nullptr;  // the owner of the elements, when this is a view
  TensorImpl* grad = nullptr;  // of a leaf; its memory is kept when the gradient is cleared
  const char* op = "leaf";     // the name of the op that made it
  std::uint64_t tape = 0;      // the serial number of the tape that recorded it; 0 for none
  std::int32_t node = -1;      // its number among the nodes or leaves of that tape
  std::uint32_t renewals = 0;  // of a leaf: how often backward began its gradient anew rather than adding to it
  bool requires_grad = false;  // it is a leaf that backward computes a gradient for
  bool has_grad = false;       // grad holds a gradient
};

/// Gives the memory back, and releases the base and the gradient. Called with the last reference.
void destroy(TensorImpl* impl) noexcept;
/// Throws Error: an undefined tensor has no shape and no elements.
[[noreturn]] void use_of_undefined_tensor();

}  // namespace storage

/// A handle to row-major elements of type Scalar. Copying a handle shares the elements, as in PyTorch; clone() copies
/// them. A default-constructed tensor is undefined: it has no shape and no elements, and asking for them throws Error.
///
/// Threads: handles may be copied, read and destroyed on any thread. Writing to the elements needs synchronisation by
/// the user, and so does the use of one parameter on the tapes of two threads.
class Tensor {
 public:
  Tensor() = default;
  /// A tensor whose elements are not initialised (NaN in a build with assertions), for ops, which write all of them.
  explicit Tensor(const Shape& shape);
  /// A tensor with a copy of the values, in row-major order. Throws ShapeError when their number is not shape.size().
  Tensor(const Shape& shape, std::span<const Scalar> values);
  /// A tensor with these values, in row-major order. Throws ShapeError when their number is not shape.size().
  Tensor(const Shape& shape, std::initializer_list<Scalar> values)
      : Tensor(shape, std::span(values.begin(), values.size())) {}
  /// Tensors with equal elements: `value`, zeros, ones.
  static Tensor full(const Shape& shape, Scalar value);
  static Tensor zeros(const Shape& shape) { return full(shape, 0); }
  static Tensor ones(const Shape& shape) { return full(shape, 1); }
  /// A tensor of rank 0.
  static Tensor scalar(Scalar value) { return full({}, value); }

  /// A handle to the same tensor: writes through one are seen through the other. A moved-from handle is undefined.
  /// Assignment changes only where this handle points to.
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

  /// Whether the handle points to a tensor.
  bool defined() const { return impl_ != nullptr; }
  /// The dimensions. The reference is valid while a handle to the tensor lives.
  const Shape& shape() const { return impl().shape; }
  /// The number of elements: 1 for a scalar.
  Index size() const { return shape().size(); }

  /// The elements, for reading. The pointer is valid while a handle to the tensor lives.
  const Scalar* data() const { return impl().data; }
  std::span<const Scalar> span() const& { return {data(), static_cast<std::size_t>(size())}; }
  HeldSpan span() const&&;
  /// The elements, for writing. The call counts as a write, and backward refuses saved tensors that were written to.
  Scalar* mutable_data() const {
    ++owner().version;
    return impl().data;
  }
  std::span<Scalar> mutable_span() const { return {mutable_data(), static_cast<std::size_t>(size())}; }
  /// The only element. Throws ShapeError unless there is exactly one.
  Scalar item() const;
  /// The element at a position with one index for each dimension; negative indices count from the end. Throws
  /// ShapeError when the number of indices is wrong or an index is out of range.
  Scalar at(std::initializer_list<Index> position) const;
  /// A tensor with a copy of the elements, which no tape has recorded.
  Tensor clone() const;
  /// A tensor that shares the elements but counts as a constant: no gradient flows through it.
  Tensor detach() const;
  /// A constant that shares the elements in another shape. Throws ShapeError when the sizes differ. To reshape with a
  /// gradient, call reshape().
  Tensor view(const Shape& shape) const;

  /// Makes this tensor a leaf, for which backward computes a gradient, or a constant again, which has none.
  /// Throws TapeError for the output of a recorded op.
  void set_requires_grad(bool on) const;
  /// Whether this is a leaf that backward computes a gradient for. Unlike in PyTorch, it is false for the output of an
  /// op, even when a gradient flows through it.
  bool requires_grad() const { return impl().requires_grad; }
  /// The gradient of a leaf. It is undefined before backward has reached the leaf and after zero_grad().
  Tensor grad() const;
  /// Clears the gradient. The next backward uses its memory again.
  void zero_grad() const { impl().has_grad = false; }

  /// The number of writes to the elements so far.
  std::uint32_t version() const { return owner().version; }
  /// The name of the op that made this tensor; "leaf" when no recorded op did.
  const char* op() const { return impl().op; }
  /// Whether both handles point to one tensor.
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

/// The elements of a temporary tensor together with a handle that keeps them alive, so that
/// for (const Scalar p : trainer.predict(x).span()) and auto elements = trainer.predict(x).span() are valid. Converted
/// to a plain std::span, the elements are valid only while the temporary lives.
class HeldSpan : public std::span<const Scalar> {
 public:
  /// All elements of the tensor, in row-major order. Throws Error when it is undefined.
  explicit HeldSpan(Tensor tensor) : std::span<const Scalar>(tensor.span()), tensor_(std::move(tensor)) {}

 private:
  Tensor tensor_;
};
inline HeldSpan Tensor::span() const&& { return HeldSpan(*this); }

/// Prints a tensor as PyTorch does, followed by its shape: Tensor([[1, 2.5], [-3, 4]], shape [2, 2]), with a line for
/// each row. Numbers have four significant digits, unless all are whole. Of more than 1,000 elements, only the first
/// and the last three along each dimension are printed. A tensor of rank 0 prints as Tensor(0.25), an undefined one as
/// Tensor(undefined).
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
