#pragma once

#include <cstddef>
#include <string_view>

#include <handrail/core/scalar.h>

namespace handrail::train {

/// The types of numbers in files of tensors.
enum class ElementType { boolean, u8, i8, u16, i16, f16, bf16, u32, i32, f32, u64, i64, f64 };

/// The bytes of one element.
std::size_t size_of(ElementType type);

/// The type of Scalar.
constexpr ElementType scalar_type() { return sizeof(Scalar) == 4 ? ElementType::f32 : ElementType::f64; }

/// Converts little-endian elements to `out`, as many as the bytes hold. A number of type f64 is rounded to the nearest
/// Scalar; every other number must have its own. Returns the position of the first element that has none, such as
/// 2^24 + 1, a finite one beyond the largest Scalar, or a boolean other than 0 and 1; -1 when there is no such element.
Index to_scalars(ElementType type, std::string_view bytes, Scalar* out);

}  // namespace handrail::train
