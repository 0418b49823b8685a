#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

namespace handrail::train {

/// Visits what an object remembers, to write it into a list of numbers or to read it back: each part is named once, in one
/// function for both directions.
///
///   void visit_state(StateVisitor& state) {
///     state.count(steps_);
///     state.number(best_);
///   }
///
/// A reader refuses what no writer can have written. After a refusal all further parts read as zeros.
class StateVisitor {
 public:
  /// Writes.
  StateVisitor() = default;
  /// Reads that state.
  explicit StateVisitor(std::span<const double> state) : reading_(true), rest_(state) {}

  bool is_reading() const { return reading_; }
  /// A finite number.
  void number(double& value);
  /// Finite numbers, as many as there are places.
  void numbers(std::span<double> values);
  /// A whole number from 0 to `max`.
  template <std::integral T>
  void count(T& value, std::int64_t max = std::int64_t{1} << 53) {
    value = static_cast<T>(whole(static_cast<std::int64_t>(value), max));
  }
  void flag(bool& value) { value = whole(value ? 1 : 0, 1) == 1; }
  /// All that is left, whatever its values: the last part.
  void rest(std::vector<double>& values);

  /// Whether a reader has come to the end.
  bool at_end() const { return rest_.empty(); }
  /// Refuses what was read, which does not fit together.
  void refuse() { ok_ = false; }
  /// Whether everything was read and nothing was refused.
  bool done() const { return ok_ && rest_.empty(); }
  const std::vector<double>& written() const { return written_; }

 private:
  std::int64_t whole(std::int64_t value, std::int64_t max);

  bool reading_ = false, ok_ = true;
  std::span<const double> rest_;
  std::vector<double> written_;
};

/// What the object remembers, by its visit_state.
template <class T>
std::vector<double> save_state(T& object) {
  StateVisitor writer;
  object.visit_state(writer);
  return writer.written();
}

/// The object remembers that state from now on. Returns false, changing nothing, when it is not one that save_state gave.
template <class T>
bool load_state(T& object, std::span<const double> state) {
  const std::vector<double> before = save_state(object);
  StateVisitor reader(state);
  object.visit_state(reader);
  if (reader.done()) return true;
  StateVisitor back(before);
  object.visit_state(back);
  return false;
}

}  // namespace handrail::train
