#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <handrail/core/system/parallel.h>
#include <handrail/handrail.h>

#include "support/hash.h"
#include "support/other_threads.h"
#include "support/tensors.h"

// The library as a part of programs that use OpenMP, and the environment variables of OpenMP. CTest runs this program
// in several environments. Cases that count or place threads need a process in which no region has run yet, and each
// is a run of its own.

using namespace handrail;

namespace {

int environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

int processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

const std::filesystem::path tasks = "/proc/self/task";

int threads_of_process() { return static_cast<int>(std::distance(std::filesystem::directory_iterator(tasks), {})); }

// The processors that the calling thread may run on, in /proc's words: "0" or "0-1".
std::string place() {
  std::ifstream status(tasks / std::to_string(gettid()) / "status");
  const std::string field = "Cpus_allowed_list:\t";
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return line.substr(field.size());
  return "unknown";
}

// Trains a network whose products are worth two threads, and returns a hash of its weights.
std::uint64_t train_one(std::uint64_t seed) {
  Rng rng(seed);
  const Tensor inputs = normal({256, 100}, 0, 1, rng), targets(Shape{256});
  for (Index i = 0; i < 256; ++i) targets.mutable_data()[i] = inputs.at({i, 0}) > 0 ? 1 : 0;
  nn::Sequential model{nn::Linear{100, 200, rng}, nn::ReLU{}, nn::Linear{200, 2, rng}};
  train::Trainer trainer{model,
                         cross_entropy,
                         {.epochs = 3,
                          .batch_size = 128,
                          .lr = 1e-3,
                          .validation_split = train::off,
                          .checkpoints = train::off,
                          .sinks = {}}};
  trainer.fit(train::TensorDataset(inputs, targets));
  return hash_of(model);
}

constexpr int trainers = 8;

}  // namespace

TEST_CASE("the number of threads is the least of OpenMP's number, its limit and the processors") {
  const int want =
      std::min({environment("OMP_NUM_THREADS", processors()), environment("OMP_THREAD_LIMIT", 1024), processors()});
  CHECK(num_threads() == want);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  CHECK(num_threads() == 1);
  omp_set_num_threads(before);
  CHECK(num_threads() == want);
}

TEST_CASE("in a parallel region of the program the library works alone") {
  const ThreadCount count(4);
  std::atomic<int> regions = 0, strangers = 0;
#pragma omp parallel num_threads(2)
  {
    if (omp_in_parallel()) {
      ++regions;
      CHECK(num_threads() == 1);
      CHECK(threads_for(1e9) == 1);
      parallel_for(64, num_threads(), [&, caller = std::this_thread::get_id()](Index) {
        if (std::this_thread::get_id() != caller) ++strangers;
      });
    }
  }
  CHECK(regions == (omp_get_thread_limit() < 2 ? 0 : 2));
  CHECK(strangers == 0);
  CHECK(num_threads() == 4);
}

TEST_CASE("Trainers in a parallel region have the bits of one after another, and no threads but the region's") {
  std::vector<std::uint64_t> hashes(trainers);
  int most = 0;
  std::atomic<bool> watched = false, trained = false;
  std::thread watcher([&] {
    const int others = threads_of_process() - 1;  // this one and, with a sanitizer, its own
    watched = true;
    for (; !trained; std::this_thread::sleep_for(std::chrono::microseconds(200)))
      most = std::max(most, threads_of_process() - others);
  });
  while (!watched) std::this_thread::yield();
#pragma omp parallel for num_threads(2)
  for (int i = 0; i < trainers; ++i) hashes[static_cast<std::size_t>(i)] = train_one(static_cast<std::uint64_t>(i));
  trained = true;
  watcher.join();
  CHECK(most <= 2);
  for (int i = 0; i < trainers; ++i)
    CHECK(hashes[static_cast<std::size_t>(i)] == train_one(static_cast<std::uint64_t>(i)));
}

TEST_CASE("the threads of the library are at OpenMP's places") {
  // OMP_PLACES={0},{1} and OMP_PROC_BIND=true, on a machine that has both. GCC's runtime binds the caller too.
  const std::string own = place();
  CHECK(met_other_threads(2));
  std::vector<std::string> places(64);
  const auto caller = std::this_thread::get_id();
  std::vector<char> by_caller(places.size());
  parallel_for(std::ssize(places), 2, [&](Index chunk) {
    places[static_cast<std::size_t>(chunk)] = place();
    by_caller[static_cast<std::size_t>(chunk)] = std::this_thread::get_id() == caller;
  });
  for (std::size_t i = 0; i < places.size(); ++i) CHECK(places[i] == (by_caller[i] ? own : "1"));
}
