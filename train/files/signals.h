#pragma once

namespace handrail::train {

/// Handles signals while at least one SignalWatch exists, and puts the previous handlers back after the last one. The
/// first SIGINT or SIGTERM is noted instead of ending the process, and the second one has the default action. A write
/// to a closed pipe (SIGPIPE) or beyond the limit of a file's size (SIGXFSZ) fails instead of ending the process,
/// unless the program has a handler for it. A signal that the program ignores stays ignored. A signal that was noted
/// and that nobody answered is sent to the process again when the previous handlers are back, so that none is lost. The
/// answer is void when an exception ends the watch, because then the caller gets no result that could tell of it.
/// Threads: watches may exist on several threads at once. A signal is for the whole process, so all of them see it.
/// Private: not installed.
class SignalWatch {
 public:
  /// on: false makes a watch that does nothing, for programs that handle signals themselves.
  explicit SignalWatch(bool on = true);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The number of the signal that was noted while a watch exists; 0 when there was none.
  static int received() noexcept;
  /// Says that the caller of the run will learn of the signal, so that it is not sent again.
  static void answer() noexcept;

 private:
  bool on_;
  int exceptions_;  // that were on their way when the watch began
};

}  // namespace handrail::train
