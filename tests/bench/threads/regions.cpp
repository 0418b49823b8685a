// What a region of two threads costs: work of some microseconds on one thread and divided between two, when the threads
// are awake because regions follow each other, and when they sleep because the last one was a millisecond ago.
// prints: region WORK_US serial US awake US asleep US, medians of what the caller sees
#include <chrono>
#include <thread>

#include <handrail/core/system/parallel.h>

#include "workload.h"

using namespace handrail;

namespace {

// Takes about `steps` times 4 cycles.
void work(Index steps) {
  double x = 1;
  for (Index i = 0; i < steps; ++i) {
    x = x * 0.999 + 0.001;
    asm volatile("" : "+x"(x));
  }
}

double median_us(Index steps, int threads, std::chrono::microseconds pause) {
  std::vector<double> times;
  for (int round = 0; round < 501; ++round) {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    const double start = bench::now();
    parallel_for(2, threads, [steps](Index) { work(steps / 2); });
    times.push_back((bench::now() - start) * 1e6);
  }
  std::ranges::nth_element(times, times.begin() + 250);
  return times[250];
}

}  // namespace

int main() {
  constexpr std::chrono::microseconds none{0}, millisecond{1000};
  for (const Index steps : {200, 500, 1000, 2000, 4000, 8000, 16000, 32000}) {
    const double serial = median_us(steps, 1, none);
    std::printf("region %5.1f serial %5.1f awake %5.1f asleep %5.1f\n", serial, median_us(steps, 1, millisecond),
                median_us(steps, 2, none), median_us(steps, 2, millisecond));
  }
}
