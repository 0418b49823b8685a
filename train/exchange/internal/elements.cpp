#include <handrail/train/exchange/internal/elements.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

namespace handrail::train {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as files hold them");

// IEEE 754 binary16: 1 bit of sign, 5 of the exponent, 10 of the fraction. Every such number has its own float.
float from_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float size = std::ldexp(static_cast<float>(exponent == 0 ? fraction : fraction + 1024), std::max(exponent, 1) - 25);
  if (exponent == 31) size = fraction == 0 ? HUGE_VALF : NAN;
  return bits >> 15 ? -size : size;
}

template <class Number>
std::optional<Scalar> converted(Number value) {
  const auto scalar = static_cast<Scalar>(value);
  if constexpr (std::is_floating_point_v<Number>) {
    if (std::isfinite(value) && !std::isfinite(scalar)) return std::nullopt;
  } else {
    // A whole number has a Scalar when its digits, without the zeros at the end, fit into the mantissa.
    const auto bits = static_cast<std::uint64_t>(+value);
    const std::uint64_t size = value < 0 ? 0 - bits : bits;
    if (static_cast<int>(std::bit_width(size)) - std::countr_zero(size) > std::numeric_limits<Scalar>::digits)
      return std::nullopt;
  }
  return scalar;
}

// Converts elements that are stored as Stored and mean what `meaning` makes of them.
template <class Stored, class Meaning>
Index convert(std::string_view bytes, Scalar* out, Meaning meaning) {
  const auto count = static_cast<Index>(bytes.size() / sizeof(Stored));
  for (Index i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + static_cast<std::size_t>(i) * sizeof stored, sizeof stored);
    const std::optional<Scalar> scalar = meaning(stored);
    if (!scalar) return i;
    out[i] = *scalar;
  }
  return -1;
}

template <class Number>
Index convert(std::string_view bytes, Scalar* out) {
  return convert<Number>(bytes, out, [](Number value) { return converted(value); });
}

}  // namespace

std::size_t size_of(ElementType type) {
  if (type <= ElementType::i8) return 1;
  if (type <= ElementType::bf16) return 2;
  return type <= ElementType::f32 ? 4 : 8;
}

Index to_scalars(ElementType type, std::string_view bytes, Scalar* out) {
  switch (type) {
    case ElementType::boolean:
      return convert<std::uint8_t>(bytes, out, [](std::uint8_t value) {
        return value > 1 ? std::nullopt : std::optional(static_cast<Scalar>(value));
      });
    case ElementType::u8:
      return convert<std::uint8_t>(bytes, out);
    case ElementType::i8:
      return convert<std::int8_t>(bytes, out);
    case ElementType::u16:
      return convert<std::uint16_t>(bytes, out);
    case ElementType::i16:
      return convert<std::int16_t>(bytes, out);
    case ElementType::f16:
      return convert<std::uint16_t>(bytes, out,
                                    [](std::uint16_t bits) { return std::optional<Scalar>(from_half(bits)); });
    case ElementType::bf16:  // the upper half of a float
      return convert<std::uint16_t>(bytes, out, [](std::uint16_t bits) {
        return std::optional<Scalar>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
      });
    case ElementType::u32:
      return convert<std::uint32_t>(bytes, out);
    case ElementType::i32:
      return convert<std::int32_t>(bytes, out);
    case ElementType::f32:
      return convert<float>(bytes, out);
    case ElementType::u64:
      return convert<std::uint64_t>(bytes, out);
    case ElementType::i64:
      return convert<std::int64_t>(bytes, out);
    case ElementType::f64:
      return convert<double>(bytes, out);
  }
  return 0;
}

}  // namespace handrail::train
