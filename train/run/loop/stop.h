#pragma once

#include <exception>

#include <handrail/train/files/pinned_files.h>
#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/loop/desk.h>

namespace handrail::train {

/// Thrown by Stop::poll when the run must end at once. It leads to the end of the run.
struct Interrupted {};

/// Knows whether a run goes on and why it ends: signals, Trainer::stop(), max_seconds, a guard, early stopping.
class Stop {
 public:
  Stop(const Setup& setup, const Desk& desk);

  /// The time in seconds since an arbitrary point.
  static double now();
  /// The seconds since this session of the run began.
  double seconds() const { return now() - start_; }
  /// The time at the last call of look_at_clock or begin.
  double clock() const { return clock_; }

  bool running() const { return reason_ == StopReason::finished; }
  StopReason reason() const { return reason_; }
  int signal() const { return signal_; }
  void because(StopReason reason) { reason_ = reason; }
  /// Whether a guard has ended the run. The present weights are not kept then.
  bool by_guard() const { return by_guard_; }
  void because_of_guard() {
    reason_ = StopReason::guard;
    by_guard_ = true;
  }

  /// From here on poll() looks for signals and stop().
  void start_polling() { polling_ = true; }
  void end_polling() { polling_ = false; }
  /// Call it right before the first step. Before it poll() throws on stop(); after it the run ends after the present
  /// step.
  void begin() {
    begun_ = true;
    clock_ = now();
  }
  bool has_begun() const { return begun_; }

  /// Looks for a signal or a call of stop().
  void look();
  /// Looks for a signal that came after the last step. The run counts as interrupted then, unless a guard or an
  /// exception ended it.
  void look_at_end();
  /// Compares the time with max_seconds. Reads the clock about once per millisecond, because reading it costs as much
  /// as a tiny op; with `now`, at this call.
  void look_at_clock(const Progress& at, bool now);
  /// Looks for a signal or a call of stop(), and throws Interrupted when the run must end. Call it between two pieces
  /// of work that may take as long as a step.
  void poll();
  /// Sends an Activity to the sinks, then does what poll() does.
  void poll(const char* what, Index done, Index total);
  /// Sends stopping_activity to the sinks once a signal has come. Later calls do nothing.
  void announce();

 private:
  bool note_signal();

  const Setup& setup_;
  const Desk& desk_;
  StopReason reason_ = StopReason::finished;
  int signal_ = 0;
  bool by_guard_ = false, polling_ = false, begun_ = false, announced_ = false;
  double start_, clock_;
  Index steps_to_clock_ = 1, clock_interval_ = 1;
};

/// Writes files in pieces, and announces a signal between two pieces, because a large checkpoint takes long to write.
class StoppableFiles final : public PinnedFiles {
 public:
  StoppableFiles(Stop& stop, PinnedDirectory& directory) : PinnedFiles(directory), stop_(stop) {}
  ssize_t write(int file, const void* bytes, std::size_t count) override;

 private:
  Stop& stop_;
};

}  // namespace handrail::train
