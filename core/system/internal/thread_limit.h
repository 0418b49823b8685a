#pragma once

#include <algorithm>
#include <utility>

// Inside the library: a limit on threads for a part of a program.

namespace handrail {

/// While it lives, num_threads() is at most `count` on this thread. count: at least 1.
class ThreadLimit {
 public:
  explicit ThreadLimit(int count) : before_(std::exchange(limit_, std::min(limit_, count))) {}
  ~ThreadLimit() { limit_ = before_; }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

  static int of_this_thread() { return limit_; }

 private:
  static constinit thread_local int limit_;
  int before_;
};

}  // namespace handrail
