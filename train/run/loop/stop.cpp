#include <handrail/train/run/loop/stop.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <handrail/train/files/signals.h>

namespace handrail::train {

double Stop::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Stop::Stop(const Setup& setup, const Desk& desk) : setup_(setup), desk_(desk), start_(now()), clock_(start_) {}

void Stop::look() {
  if (!running()) return;
  if (setup_.stop_requested) reason_ = StopReason::requested;
  if (note_signal()) reason_ = StopReason::interrupted;
}

void Stop::look_at_end() {
  if (note_signal() && !by_guard_ && reason_ != StopReason::exception) reason_ = StopReason::interrupted;
}

bool Stop::note_signal() {
  if (setup_.options.handle_signals) signal_ = SignalWatch::received();
  return signal_ != 0;
}

void Stop::look_at_clock(const Progress& at, bool look_now) {
  if (--steps_to_clock_ > 0 && !look_now) return;
  const double before = std::exchange(clock_, now());
  constexpr Index max_steps = 64;
  clock_interval_ =
      clock_ - before < 1e-3 ? std::min(max_steps, 2 * clock_interval_) : std::max<Index>(1, clock_interval_ / 2);
  steps_to_clock_ = clock_interval_;
  const bool done = at.epoch == setup_.options.epochs && at.batch == setup_.batches();
  const auto& limit = setup_.options.max_seconds;
  if (limit && clock_ - start_ + at.seconds > *limit && running() && !done) reason_ = StopReason::max_time;
}

void Stop::poll() {
  if (!polling_) return;
  look();
  if (reason_ == StopReason::interrupted || (reason_ == StopReason::requested && !begun_)) throw Interrupted();
}

void Stop::poll(const char* what, Index done, Index total) {
  if (!polling_) return;  // the arms of try_fix and find_lr report nothing
  desk_.send(&LogSink::activity, Activity{.what = what, .done = done, .total = total});
  poll();
}

void Stop::announce() {
  if (announced_ || !setup_.options.handle_signals || SignalWatch::received() == 0) return;
  announced_ = true;
  desk_.send(&LogSink::activity, Activity{.what = stopping_activity, .done = 0, .total = 1});
}

ssize_t StoppableFiles::write(int file, const void* bytes, std::size_t count) {
  constexpr std::size_t piece = 4 << 20;  // bytes
  stop_.announce();
  return PinnedFiles::write(file, bytes, std::min(count, piece));
}

}  // namespace handrail::train
