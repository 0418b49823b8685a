#include <handrail/train/files/signals.h>

#include <unistd.h>

#include <csignal>

#include <array>
#include <atomic>
#include <exception>
#include <mutex>

namespace handrail::train {
namespace {

constexpr std::array watched{SIGINT, SIGTERM, SIGPIPE, SIGXFSZ};
// Signals of a write that fails.
constexpr bool is_of_write(int signal) { return signal == SIGPIPE || signal == SIGXFSZ; }

std::mutex watch_mutex;
int watches = 0;
std::array<struct sigaction, watched.size()> previous;
std::atomic<int> noted_signal = 0;
std::atomic<bool> answered = false;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler must not wait");

bool was_ignored(std::size_t i) { return previous[i].sa_handler == SIG_IGN; }

// `previous` does not change while this can be called.
extern "C" void note_signal(int signal) {
  noted_signal = signal;
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (std::size_t i = 0; i < watched.size(); ++i)
    if (!is_of_write(watched[i]) && !was_ignored(i)) sigaction(watched[i], &action, nullptr);
}

}  // namespace

SignalWatch::SignalWatch(bool on) : on_(on), exceptions_(std::uncaught_exceptions()) {
  if (!on_) return;
  const std::lock_guard lock(watch_mutex);
  if (watches++ > 0) return;
  noted_signal = 0;
  answered = false;
  for (std::size_t i = 0; i < watched.size(); ++i) sigaction(watched[i], nullptr, &previous[i]);
  for (std::size_t i = 0; i < watched.size(); ++i) {
    const bool is_default = previous[i].sa_handler == SIG_DFL;
    if (was_ignored(i) || (is_of_write(watched[i]) && !is_default)) continue;
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = is_of_write(watched[i]) ? SIG_IGN : note_signal;
    sigaction(watched[i], &action, nullptr);
  }
}

SignalWatch::~SignalWatch() {
  if (!on_) return;
  const std::lock_guard lock(watch_mutex);
  if (std::uncaught_exceptions() > exceptions_) answered = false;
  if (--watches > 0) return;
  for (std::size_t i = 0; i < watched.size(); ++i) sigaction(watched[i], &previous[i], nullptr);
  const int signal = noted_signal.exchange(0);
  if (signal != 0 && !answered) kill(getpid(), signal);
}

int SignalWatch::received() noexcept { return noted_signal.load(std::memory_order_relaxed); }

void SignalWatch::answer() noexcept { answered = true; }

}  // namespace handrail::train
