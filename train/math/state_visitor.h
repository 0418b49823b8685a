#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

namespace handrail::train {

/// Writes the state of an object into a list of numbers, or reads it back from one. The object names each part of its
/// state once, in one function for both directions:
///
///   void visit_state(StateVisitor& state) {
///     state.count(steps_);
///     state.number(best_);
///   }
///
/// Reading refuses a list that no writing can have made, such as one that is too short or has a count that is not
/// whole. After a refusal further numbers and counts read as zero, and done() is false.
class StateVisitor {
 public:
  /// A visitor that writes.
  StateVisitor() = default;
  /// A visitor that reads this state, which must outlive it.
  explicit StateVisitor(std::span<const double> state) : reading_(true), rest_(state) {}

  /// Whether it reads a state into the object, rather than writes one.
  bool is_reading() const { return reading_; }
  /// Visits a finite number.
  void number(double& value);
  /// Visits finite numbers, as many as the span has elements.
  void numbers(std::span<double> values);
  /// A whole number from 0 to `max`. Only a reader refuses another one: a writer must stay within, or its checkpoint
  /// cannot be resumed.
  template <std::integral T>
  void count(T& value, std::int64_t max = std::int64_t{1} << 53) {
    value = static_cast<T>(whole(static_cast<std::int64_t>(value), max));
  }
  /// Visits a flag, stored as 0 or 1.
  void flag(bool& value) { value = whole(value ? 1 : 0, 1) == 1; }
  /// Visits all numbers that are left, finite or not, as the last part of a state.
  void rest(std::vector<double>& values);

  /// Whether no number is left to read.
  bool at_end() const { return rest_.empty(); }
  /// Refuses the state: called by an object whose parts contradict each other.
  void refuse() { ok_ = false; }
  /// Whether everything was read and nothing was refused.
  bool done() const { return ok_ && rest_.empty(); }
  /// What was written so far.
  const std::vector<double>& written() const { return written_; }
  /// Exchanges what was written so far with a list, so that a writer can use memory again.
  void swap_written(std::vector<double>& list) { written_.swap(list); }

 private:
  std::int64_t whole(std::int64_t value, std::int64_t max);

  bool reading_ = false, ok_ = true;
  std::span<const double> rest_;
  std::vector<double> written_;
};

/// Replaces `state` by that of the object, as its visit_state(StateVisitor&) writes it, and uses its memory again.
template <class T>
void save_state(T& object, std::vector<double>& state) {
  state.clear();
  StateVisitor writer;
  writer.swap_written(state);
  object.visit_state(writer);
  writer.swap_written(state);
}
/// The state of the object as its visit_state(StateVisitor&) writes it.
template <class T>
std::vector<double> save_state(T& object) {
  std::vector<double> state;
  save_state(object, state);
  return state;
}

/// Gives the object a state that save_state returned. Returns false and leaves the object as it was when visit_state
/// refuses the state.
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
