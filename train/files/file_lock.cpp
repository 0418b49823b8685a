#include <handrail/train/files/file_lock.h>

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include <handrail/train/files/file_system.h>

namespace handrail::train {
namespace {

std::mutex locks_mutex;
std::vector<FileLock*> locks;  // of this process

}  // namespace

struct LocksInFork {
  static void prepare() { locks_mutex.lock(); }
  static void in_parent() { locks_mutex.unlock(); }
  // The lock belongs to the open file, which the parent still has: it is not lost here.
  static void in_child() {
    for (FileLock* lock : locks) lock->close();
    locks.clear();
    locks_mutex.unlock();
  }
};

FileLock::FileLock(FileSystem& files, int file) : files_(files), file_(file), owner_(::getpid()) {
  static const int registered = ::pthread_atfork(LocksInFork::prepare, LocksInFork::in_parent, LocksInFork::in_child);
  static_cast<void>(registered);  // without memory for it, a child holds the lock as long as it lives
  const std::lock_guard guard(locks_mutex);
  locks.push_back(this);
}

FileLock::~FileLock() {
  const std::lock_guard guard(locks_mutex);
  std::erase(locks, this);
  close();
}

bool FileLock::is_ours() const { return owner_ == ::getpid(); }

void FileLock::close() {
  if (const int file = std::exchange(file_, -1); file >= 0) files_.close(file);
}

}  // namespace handrail::train
