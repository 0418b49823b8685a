#pragma once

#include <sys/resource.h>
#include <unistd.h>

/// Ends this process by SIGXCPU after so many seconds of the processor: that a machine is busy is no fault. One that
/// waits for ever ends by SIGALRM, after ten times as long.
inline void limit_seconds(unsigned seconds) {
  const rlimit limit{seconds, seconds + 5};
  setrlimit(RLIMIT_CPU, &limit);
  alarm(10 * seconds);
}
