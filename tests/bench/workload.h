#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

// The training steps that are measured, without any library: the same networks and data for handrail
// and for the programs it is compared with.

namespace bench {

struct Workload {
  std::string name;
  std::vector<long> widths;
  long batch;
  bool binary;   // one logit and binary cross entropy; else softmax cross entropy
  long batches;  // distinct batches of inputs
};

/// T1 to T5, or layers and batch as in 784-256-10/128. Exits with a message on anything else.
inline Workload workload(const std::string& name) {
  if (name == "T1") return {name, {2, 16, 16, 1}, 32, true, 64};
  if (name == "T2") return {name, {64, 64, 64, 10}, 32, false, 56};
  if (name == "T3") return {name, {784, 128, 10}, 64, false, 64};
  if (name == "T4") return {name, {784, 256, 128, 10}, 128, false, 32};
  if (name == "T5") return {name, {1024, 1024, 1024, 10}, 512, false, 8};
  Workload w{name, {}, 0, false, 16};
  const char* at = name.c_str();
  char* end = nullptr;
  for (;;) {
    w.widths.push_back(std::strtol(at, &end, 10));
    if (end == at || *end != '-') break;
    at = end + 1;
  }
  if (*end == '/') w.batch = std::strtol(end + 1, &end, 10);
  if (*end != '\0' || w.batch < 1 || w.widths.size() < 2 || *std::min_element(w.widths.begin(), w.widths.end()) < 1) {
    std::fprintf(stderr, "want T1 to T5, or layers/batch as in 784-256-10/128; got '%s'\n", name.c_str());
    std::exit(2);
  }
  return w;
}

/// Normal inputs and random labels. The labels cycle with a prime period of batches, so that they
/// cannot be memorised with their inputs and gradients stay alive however long it runs.
struct Samples {
  static constexpr long label_batches = 509;
  std::vector<float> inputs;  // [batches * batch, widths.front()]
  std::vector<float> labels;  // [label_batches * batch]
};
inline Samples samples(const Workload& w) {
  std::mt19937 generator(7);
  std::normal_distribution<float> normal;
  Samples s;
  s.inputs.resize(static_cast<std::size_t>(w.batches * w.batch * w.widths.front()));
  for (float& x : s.inputs) x = normal(generator);
  s.labels.resize(static_cast<std::size_t>(Samples::label_batches * w.batch));
  const auto classes = static_cast<unsigned>(w.binary ? 2 : w.widths.back());
  for (float& y : s.labels) y = static_cast<float>(generator() % classes);
  return s;
}

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds a call, the best of several tenths of a second: what the machine can do when it is left alone.
template <class Body>
double best_seconds(Body body) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    long calls = 0;
    const double start = now();
    double elapsed = 0;
    do {
      body();
      ++calls;
      elapsed = now() - start;
    } while (elapsed < 0.1);
    best = std::min(best, elapsed / static_cast<double>(calls));
  }
  return best;
}

/// Times steps in windows of about 30 ms after a warmup; tick() once a step, until done().
class Stopwatch {
 public:
  explicit Stopwatch(double seconds) : seconds_(seconds), start_(now()) {}

  void tick() {
    ++steps_;
    if (window_ == 0) {  // warming up
      const double elapsed = now() - start_;
      if (steps_ < 5 || elapsed < std::min(0.3, 0.3 * seconds_)) return;
      window_ = std::max(1L, static_cast<long>(0.03 / (elapsed / static_cast<double>(steps_))));
      begin();
    } else if (steps_ == window_) {
      windows_.push_back((now() - window_start_) / static_cast<double>(window_));
      begin();
    }
  }
  bool done() const { return windows_.size() >= 5 && now() - measuring_since_ > seconds_; }
  /// Of the median window.
  double microseconds_per_step() {
    std::sort(windows_.begin(), windows_.end());
    return windows_[windows_.size() / 2] * 1e6;
  }
  /// Of all threads of the process, the mean of all windows.
  double processor_microseconds_per_step() const {
    const double seconds = static_cast<double>(std::clock() - measuring_since_clock_) / CLOCKS_PER_SEC;
    return seconds * 1e6 / static_cast<double>(window_ * static_cast<long>(windows_.size()));
  }

 private:
  void begin() {
    steps_ = 0;
    window_start_ = now();
    if (!windows_.empty()) return;
    measuring_since_ = window_start_;
    measuring_since_clock_ = std::clock();
  }

  double seconds_, start_;
  double window_start_ = 0, measuring_since_ = 0;
  std::clock_t measuring_since_clock_ = 0;
  long steps_ = 0, window_ = 0;
  std::vector<double> windows_;
};

inline double bench_seconds() {
  const char* given = std::getenv("BENCH_SECONDS");
  return given ? std::atof(given) : 1.5;
}

}  // namespace bench
