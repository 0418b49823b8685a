#include <handrail/train/files/signals.h>

#include <csignal>

#include <array>
#include <atomic>
#include <mutex>

namespace handrail::train {
namespace {

constexpr std::array watched{SIGINT, SIGTERM, SIGPIPE};

std::mutex watch_mutex;
int watches = 0;
std::array<struct sigaction, watched.size()> previous;
std::atomic<int> noted_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler must not wait");

void set_default(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
}

extern "C" void note_signal(int signal) {
  noted_signal = signal;
  set_default(SIGINT);
  set_default(SIGTERM);
}

}  // namespace

SignalWatch::SignalWatch() {
  const std::lock_guard lock(watch_mutex);
  if (watches++ > 0) return;
  noted_signal = 0;
  for (std::size_t i = 0; i < watched.size(); ++i) {
    sigaction(watched[i], nullptr, &previous[i]);
    const bool is_ignored = previous[i].sa_handler == SIG_IGN;
    const bool is_default = previous[i].sa_handler == SIG_DFL;
    if (is_ignored || (watched[i] == SIGPIPE && !is_default)) continue;
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = watched[i] == SIGPIPE ? SIG_IGN : note_signal;
    sigaction(watched[i], &action, nullptr);
  }
}

SignalWatch::~SignalWatch() {
  const std::lock_guard lock(watch_mutex);
  if (--watches > 0) return;
  noted_signal = 0;
  for (std::size_t i = 0; i < watched.size(); ++i) sigaction(watched[i], &previous[i], nullptr);
}

int SignalWatch::received() noexcept { return noted_signal.load(std::memory_order_relaxed); }

}  // namespace handrail::train
