#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace handrail {

/// The type of `off`. A bool takes it as false; an OrOff takes it as no value.
struct Off {
  /// False, for an option that is a bool. It does not convert to a number.
  template <std::same_as<bool> B>
  constexpr operator B() const {
    return false;
  }
};
/// Turns a protection or a limit off: {.epochs = 5, .clip_norm = off}. The summary of a run lists what is off.
inline constexpr Off off{};

/// The type of `automatic`.
struct Auto {};
/// Leaves a value to the library: {.epochs = 5, .lr = automatic}. Only an OrAuto takes it.
inline constexpr Auto automatic{};

/// A value of type T, or None, which is Off or Auto. It is read as a std::optional is. `off` and `automatic` have types
/// of their own, so that an option that takes the one does not compile with the other.
template <class T, class None>
class ValueOr {
 public:
  /// The type of the value, when there is one.
  using Value = T;

  constexpr ValueOr() = default;
  /// No value: `off` or `automatic`.
  constexpr ValueOr(None) {}
  /// A value, of any type that converts to T.
  template <class U = T>
  requires(std::convertible_to<U, T> && !std::same_as<std::remove_cvref_t<U>, ValueOr>) constexpr ValueOr(U&& value)
      : value_(std::forward<U>(value)) {}

  /// As in std::optional: * and -> need a value, and value_or() gives `otherwise` when there is none.
  constexpr bool has_value() const { return value_.has_value(); }
  constexpr explicit operator bool() const { return value_.has_value(); }
  constexpr const T& operator*() const { return *value_; }
  constexpr T& operator*() { return *value_; }
  constexpr const T* operator->() const { return &*value_; }
  constexpr T* operator->() { return &*value_; }
  constexpr T value_or(T otherwise) const { return value_.value_or(std::move(otherwise)); }
  constexpr operator const std::optional<T>&() const { return value_; }
  friend constexpr bool operator==(const ValueOr&, const ValueOr&) = default;

 private:
  std::optional<T> value_;
};

/// A value or `off`; {} is off.
template <class T>
using OrOff = ValueOr<T, Off>;
/// A value or `automatic`; {} is automatic.
template <class T>
using OrAuto = ValueOr<T, Auto>;

}  // namespace handrail
