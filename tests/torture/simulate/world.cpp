#include "torture/simulate/world.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <iterator>
#include <utility>
#include <vector>

#include "support/heap_faults.h"
#include "torture/simulate/disk.h"

namespace fs = std::filesystem;

namespace world {
namespace {

thread_local Simulation::State* here = nullptr;  // the world of this thread; null: the real one

}  // namespace

struct Simulation::State {
  Weather weather;
  std::function<void(std::int64_t number, std::string_view place)> at_instant;
  std::int64_t instants = 0, faults = 0, refused = 0;
  bool interrupted = false;
  double seconds = 1000;
  int locked = -1;  // the file that flock has locked
  std::unique_ptr<Disk> disk = {};

  // The errno with which a call fails; 0 for none.
  int begin(std::string_view call, bool takes_space) {
    pass(call);
    const bool fails = instants >= weather.first && instants - weather.first < weather.count &&
                       (takes_space || !weather.full) && call != "flock";
    faults += fails;
    return fails ? weather.error : 0;
  }
  void pass(std::string_view place) {
    ++instants;
    seconds += weather.tick + (instants == weather.leap_at ? weather.leap : 0);
    const int error = errno;
    const Outside outside;
    at_instant(instants, place);
    errno = error;
  }
  bool interrupts() {
    if (!weather.interrupts) return false;
    interrupted = !interrupted;
    errno = EINTR;
    return interrupted;
  }
};

namespace {

// Makes a call of the file system, unless it fails.
template <class Call>
auto call(std::string_view name, bool takes_space, Call&& make) -> decltype(make()) {
  if (!here) return make();
  if (const int error = here->begin(name, takes_space); error != 0) {
    errno = error;
    return -1;
  }
  return make();
}

// Tells the disk of a call that has succeeded.
template <class Tell>
void note(Tell&& tell) {
  if (!here || !here->disk) return;
  const int error = errno;
  Disk& disk = *here->disk;
  const Outside outside;
  tell(disk);
  errno = error;
}

int open_at(int directory, const char* path, int flags, mode_t mode) {
  return call("open", (flags & O_CREAT) != 0, [&]() -> int {
    if (here && here->interrupts()) return -1;
    const auto file = static_cast<int>(syscall(SYS_openat, directory, path, flags, mode));
    if (file >= 0)
      note([&](Disk& disk) {
        const std::string whole = disk.path_of(directory, path);
        disk.opened[file] = {whole, disk.has(whole) ? disk.files.open(whole.c_str(), flags, mode) : -1};
      });
    return file;
  });
}

int unlink_at(int directory, const char* path, int flags) {
  return call("unlink", false, [&] {
    const auto result = static_cast<int>(syscall(SYS_unlinkat, directory, path, flags));
    if (result == 0) note([&](Disk& disk) { disk.files.unlink(disk.path_of(directory, path).c_str()); });
    return result;
  });
}

int rename_at(int from_directory, const char* from, int to_directory, const char* to) {
  return call("rename", true, [&] {
    const auto result = static_cast<int>(syscall(SYS_renameat2, from_directory, from, to_directory, to, 0));
    if (result == 0)
      note([&](Disk& disk) {
        disk.files.rename(disk.path_of(from_directory, from).c_str(), disk.path_of(to_directory, to).c_str());
      });
    return result;
  });
}

// The mode that an open has when it makes a file.
template <class List>
mode_t mode_in(int flags, List& list) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
}

}  // namespace

Simulation::Simulation(const Weather& weather, std::function<void(std::int64_t, std::string_view)> at_instant)
    : state_(std::make_unique<State>(State{.weather = weather, .at_instant = std::move(at_instant)})) {
  here = state_.get();
}
Simulation::~Simulation() { here = nullptr; }

void Simulation::visit(std::string_view place) { state_->pass(place); }
std::int64_t Simulation::instants() const { return state_->instants; }
std::int64_t Simulation::faults() const { return state_->faults; }
std::int64_t Simulation::refused_threads() const { return state_->refused; }
bool Simulation::holds_lock() const { return state_->locked >= 0; }
void Simulation::watch_disk(const fs::path& directory) {
  const Outside outside;
  state_->disk = std::make_unique<Disk>(directory);
}
void Simulation::cut_power(handrail::Rng& rng) {
  const Outside outside;
  const Disk& disk = *state_->disk;
  std::vector<bool> keep(disk.files.unsynced_names());
  const std::uint64_t kind = rng.below(4);  // all, none, or some of the new names stay
  for (auto&& kept : keep) kept = kind == 0 || (kind > 1 && rng.below(2) == 0);
  const auto left = disk.files.after_cut(keep, PowerLossFiles::tails[rng.below(std::size(PowerLossFiles::tails))]);
  for (const auto& entry : fs::directory_iterator(disk.root)) fs::remove_all(entry.path());
  Disk::put(*left, disk.root);
}

Outside::Outside() : before_(std::exchange(here, nullptr)), planned_(heap_faults::planned.exchange(false)) {}
Outside::~Outside() {
  here = before_;
  heap_faults::planned = planned_;
}

}  // namespace world

using world::call;
using world::here;
using world::note;

extern "C" {

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = world::mode_in(flags, list);
  va_end(list);
  return world::open_at(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = world::mode_in(flags, list);
  va_end(list);
  return world::open_at(directory, path, flags, mode);
}
int fstat(int file, struct stat* status) noexcept {
  return call("fstat", false,
              [&] { return static_cast<int>(syscall(SYS_newfstatat, file, "", status, AT_EMPTY_PATH)); });
}
ssize_t read(int file, void* bytes, std::size_t count) {
  return call("read", false, [&]() -> ssize_t {
    if (here && here->interrupts()) return -1;
    return syscall(SYS_read, file, bytes, here ? std::min(count, here->weather.max_bytes) : count);
  });
}
ssize_t write(int file, const void* bytes, std::size_t count) {
  return call("write", true, [&]() -> ssize_t {
    if (here && here->interrupts()) return -1;
    const ssize_t done = syscall(SYS_write, file, bytes, here ? std::min(count, here->weather.max_bytes) : count);
    if (done > 0)
      note([&](world::Disk& disk) {
        if (const int copy = disk.copy_of(file); copy >= 0)
          disk.files.write(copy, bytes, static_cast<std::size_t>(done));
      });
    return done;
  });
}
// No machine stops here, so that waiting for the disk would only take time.
int fsync(int file) {
  return call("fsync", true, [&] {
    note([&](world::Disk& disk) {
      if (const int copy = disk.copy_of(file); copy >= 0) disk.files.sync(copy);
    });
    return 0;
  });
}
int close(int file) {
  const int error = here ? here->begin("close", false) : 0;
  if (here && here->locked == file) here->locked = -1;
  note([&](world::Disk& disk) {
    if (const int copy = disk.copy_of(file); copy >= 0) disk.files.close(copy);
    disk.opened.erase(file);
  });
  const auto result = static_cast<int>(syscall(SYS_close, file));
  if (error == 0) return result;
  errno = error;
  return -1;
}
int ftruncate(int file, off_t length) noexcept {
  return call("ftruncate", false, [&] {
    const auto result = static_cast<int>(syscall(SYS_ftruncate, file, length));
    if (result == 0)
      note([&](world::Disk& disk) {
        if (const int copy = disk.copy_of(file); copy >= 0) disk.files.truncate(copy, length);
      });
    return result;
  });
}
int rename(const char* from, const char* to) noexcept { return world::rename_at(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  return world::rename_at(from_directory, from, to_directory, to);
}
int unlink(const char* path) noexcept { return world::unlink_at(AT_FDCWD, path, 0); }
int unlinkat(int directory, const char* path, int flags) noexcept { return world::unlink_at(directory, path, flags); }
int mkdir(const char* path, mode_t mode) noexcept {
  return call("mkdir", true, [&] {
    const auto result = static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
    if (result == 0) note([&](world::Disk& disk) { disk.files.mkdir(path, mode); });
    return result;
  });
}
int flock(int file, int operation) noexcept {
  return call("flock", false, [&] {
    const auto result = static_cast<int>(syscall(SYS_flock, file, operation));
    if (result == 0 && here) here->locked = file;
    return result;
  });
}
int clock_gettime(clockid_t clock, struct timespec* time) noexcept {
  if (!here || clock != CLOCK_MONOTONIC) return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  time->tv_sec = static_cast<time_t>(here->seconds);
  time->tv_nsec = static_cast<long>((here->seconds - static_cast<double>(time->tv_sec)) * 1e9);
  return 0;
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) noexcept {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static auto* const create = reinterpret_cast<Create*>(dlsym(RTLD_NEXT, "pthread_create"));
  if (!here || !here->weather.refuses_threads) return create(thread, attributes, run, argument);
  ++here->refused;
  return EAGAIN;
}
}
