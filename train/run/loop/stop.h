#pragma once

#include <exception>

#include <handrail/train/files/file_system.h>
#include <handrail/train/run/internal/setup.h>
#include <handrail/train/run/loop/desk.h>

namespace handrail::train {

/// Thrown by Stop::poll, where nothing but a return to the end of the run is left to do.
struct Interrupted {};

/// Whether a run goes on, and why it ends: signals, Trainer::stop(), max_seconds, a guard, early stopping.
class Stop {
 public:
  Stop(const Setup& setup, const Desk& desk);

  /// In seconds, from an arbitrary point in time.
  static double now();
  /// Since this session of the run began.
  double seconds() const { return now() - start_; }
  /// The time when the clock was last looked at.
  double clock() const { return clock_; }

  bool running() const { return reason_ == StopReason::finished; }
  StopReason reason() const { return reason_; }
  int signal() const { return signal_; }
  void because(StopReason reason) { reason_ = reason; }
  /// A guard has ended the run: the weights of now are not those to keep.
  bool by_guard() const { return by_guard_; }
  void because_of_guard() {
    reason_ = StopReason::guard;
    by_guard_ = true;
  }

  /// From here on signals and stop() end what is under way.
  void start_polling() { polling_ = true; }
  void end_polling() { polling_ = false; }
  /// The first step is due. Before it a stop leads out of whatever is under way; later, stop() waits for the step.
  void begin() {
    begun_ = true;
    clock_ = now();
  }
  bool has_begun() const { return begun_; }

  /// Looks for a signal or a call of stop().
  void look();
  /// Looks at the clock for max_seconds: mostly once a millisecond, as reading it costs as much as a tiny op.
  void look_at_clock(const Progress& at, bool now);
  /// Called between two pieces of work that may take as long as a step. Throws Interrupted.
  void poll();
  /// The same, and tells the sinks what is going on.
  void poll(const char* what, Index done, Index total);
  /// Tells the sinks once that a signal was heard.
  void announce();

 private:
  const Setup& setup_;
  const Desk& desk_;
  StopReason reason_ = StopReason::finished;
  int signal_ = 0;
  bool by_guard_ = false, polling_ = false, begun_ = false, announced_ = false;
  double start_, clock_;
  Index steps_to_clock_ = 1, clock_interval_ = 1;
};

/// Writes in pieces, and looks for a signal between them: a large checkpoint takes the disk a while.
class StoppableFiles final : public FileSystem {
 public:
  explicit StoppableFiles(Stop& stop) : stop_(stop) {}
  ssize_t write(int file, const void* bytes, std::size_t count) override;

 private:
  Stop& stop_;
};

}  // namespace handrail::train
