#pragma once

#include <concepts>
#include <optional>

namespace handrail {

/// Turns a protection off: {.epochs = 5, .clip_norm = off}. The summary says so.
struct Off {
  template <class T>
  constexpr operator std::optional<T>() const {
    return std::nullopt;
  }
  template <std::same_as<bool> B>
  constexpr operator B() const {
    return false;
  }
};
inline constexpr Off off{};

/// {.lr = automatic}: the library finds the value; the default.
inline constexpr std::nullopt_t automatic = std::nullopt;

}  // namespace handrail
