#pragma once

#include <cstdint>
#include <span>

namespace handrail::train {

/// Reads back, in order, what a state() wrote, and refuses what it could not have written. After a
/// refusal all further answers are zeros.
class StateReader {
 public:
  explicit StateReader(std::span<const double> state) : rest_(state) {}

  /// A finite number.
  double number();
  /// A whole number from 0 to `most`.
  std::int64_t count(std::int64_t most = std::int64_t{1} << 53);
  bool flag() { return count(1) == 1; }
  /// Finite numbers to that many places.
  void numbers(std::span<double> places);
  /// Whether everything was read and nothing was refused.
  bool done() const { return ok_ && rest_.empty(); }
  bool ok() const { return ok_; }
  void refuse() { ok_ = false; }

 private:
  std::span<const double> rest_;
  bool ok_ = true;
};

}  // namespace handrail::train
