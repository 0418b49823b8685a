#pragma once

namespace handrail::train {

// How a run meets the signals of the system. Not installed.

/// While one lives, the first SIGINT or SIGTERM is noted instead of ending the process, the second one has the
/// default action again, and a write to a closed pipe fails instead of killing (SIGPIPE). What the program ignores
/// stays ignored. The handlers of before are back afterwards. There may be several, on several threads: the process
/// gets a signal, so all of them see it.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The number of the signal that came while one was alive; 0 for none.
  static int received() noexcept;
};

}  // namespace handrail::train
