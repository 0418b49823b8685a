#include <handrail/train/files/signals.h>

#include <csignal>

#include <array>
#include <atomic>
#include <mutex>

namespace handrail::train {
namespace {

constexpr std::array watched{SIGINT, SIGTERM, SIGPIPE};

std::mutex mutex;
int alive = 0;
std::array<struct sigaction, watched.size()> before;
std::atomic<int> last = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler must not wait");

void set_default(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
}

extern "C" void note_signal(int signal) {
  last = signal;
  set_default(SIGINT);
  set_default(SIGTERM);
}

}  // namespace

SignalWatch::SignalWatch() {
  const std::lock_guard lock(mutex);
  if (alive++ > 0) return;
  last = 0;
  for (std::size_t i = 0; i < watched.size(); ++i) {
    sigaction(watched[i], nullptr, &before[i]);
    const bool is_ignored = before[i].sa_handler == SIG_IGN;
    const bool is_default = before[i].sa_handler == SIG_DFL;
    if (is_ignored || (watched[i] == SIGPIPE && !is_default)) continue;
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = watched[i] == SIGPIPE ? SIG_IGN : note_signal;
    sigaction(watched[i], &action, nullptr);
  }
}

SignalWatch::~SignalWatch() {
  const std::lock_guard lock(mutex);
  if (--alive > 0) return;
  last = 0;
  for (std::size_t i = 0; i < watched.size(); ++i) sigaction(watched[i], &before[i], nullptr);
}

int SignalWatch::received() noexcept { return last.load(std::memory_order_relaxed); }

}  // namespace handrail::train
