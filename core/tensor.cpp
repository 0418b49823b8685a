#include <handrail/core/tensor.h>

#include <algorithm>
#include <limits>

#include <handrail/core/error.h>

// Both builds of the library, float and double, define this symbol: a program with both does not link, and the error
// names the reason.
extern "C" {
extern const char handrail_one_scalar_type_per_program;
const char handrail_one_scalar_type_per_program = 0;
}

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace storage {
namespace {

constexpr std::size_t head_bytes = (sizeof(TensorImpl) + 63) / 64 * 64;

TensorImpl* make(const Shape& shape, bool with_elements) {
  const std::size_t elements = with_elements ? static_cast<std::size_t>(shape.size()) * sizeof(Scalar) : 0;
  pool::Block* block = pool::take(head_bytes + elements);
  const pool::Block head = *block;
  auto* impl = ::new (block) TensorImpl;
  static_cast<pool::Block&>(*impl) = head;
  impl->shape = shape;
  impl->data = reinterpret_cast<Scalar*>(reinterpret_cast<std::byte*>(block) + head_bytes);
  return impl;
}

void release(TensorImpl* impl) noexcept {
  if (impl && impl->references.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(impl);
}

}  // namespace

void destroy(TensorImpl* impl) noexcept {
  release(impl->base);
  release(impl->grad);
  impl->~TensorImpl();
  pool::give(impl);
}

void use_of_undefined_tensor() {
  fail("Tensor: used while undefined; a default-constructed tensor has no shape and no elements");
}

}  // namespace storage

Tensor::Tensor(const Shape& shape) : impl_(storage::make(shape, true)) {
#ifndef NDEBUG
  std::fill_n(impl_->data, shape.size(), std::numeric_limits<Scalar>::quiet_NaN());
#endif
}

Tensor::Tensor(const Shape& shape, std::span<const Scalar> values) : Tensor(shape) {
  if (std::ssize(values) != shape.size())
    fail<ShapeError>("Tensor: want ", shape.size(), " values for shape ", shape, "; got ", values.size());
  std::ranges::copy(values, impl_->data);
}

Tensor Tensor::full(const Shape& shape, Scalar value) {
  Tensor tensor(shape);
  std::fill_n(tensor.impl_->data, shape.size(), value);
  return tensor;
}

Scalar Tensor::item() const {
  if (size() != 1) fail<ShapeError>("Tensor::item: want one element; got shape ", shape());
  return *data();
}

Scalar Tensor::at(std::initializer_list<Index> position) const {
  const Shape& dims = shape();
  if (std::ssize(position) != dims.rank())
    fail<ShapeError>("Tensor::at: want ", dims.rank(), " indices for shape ", dims, "; got ", position.size());
  Index offset = 0;
  int axis = 0;
  for (const Index index : position) {
    const Index dim = dims[axis];
    if (index < -dim || index >= dim)
      fail<ShapeError>("Tensor::at: index ", index, " is outside axis ", axis, " of shape ", dims);
    offset = offset * dim + (index < 0 ? index + dim : index);
    ++axis;
  }
  return data()[offset];
}

Tensor Tensor::clone() const { return {shape(), span()}; }

Tensor Tensor::view(const Shape& shape) const {
  if (shape.size() != size())
    fail<ShapeError>("Tensor::view: want ", size(), " elements as in ", this->shape(), "; got shape ", shape);
  Tensor result(storage::make(shape, false));
  storage::TensorImpl& base = owner();
  base.references.fetch_add(1, std::memory_order_relaxed);
  result.impl_->base = &base;
  result.impl_->data = impl().data;
  return result;
}

Tensor Tensor::detach() const { return view(shape()); }

void Tensor::set_requires_grad(bool on) const {
  storage::TensorImpl& own = impl();
  if (on && !own.requires_grad && own.tape != 0)
    fail<TapeError>("set_requires_grad: the output of '", own.op, "', shape ", own.shape,
                    ", is not a leaf; detach() it first");
  if (own.requires_grad != on) own.tape = 0;
  own.requires_grad = on;
  if (!on) own.has_grad = false;
}

Tensor Tensor::grad() const {
  const storage::TensorImpl& own = impl();
  if (!own.has_grad) return {};
  own.grad->references.fetch_add(1, std::memory_order_relaxed);
  return Tensor(own.grad);
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
