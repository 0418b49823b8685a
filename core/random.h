#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <handrail/core/tensor.h>

namespace handrail {

/// Philox4x32-10, a counter-based generator: four random words as a function of a counter and a key.
/// Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// What a random number is for: streams of one seed do not overlap.
enum class Stream : std::uint8_t { init, shuffle, split, dropout, user = 128 };

/// A point in the random streams of a seed. `call` tells apart several uses at one position.
struct StreamKey {
  std::uint64_t seed;
  Stream stream = Stream::init;
  std::uint64_t position = 0;
  std::uint32_t call = 0;  // below 2^24
};

/// The key of the generator there and the counter of the first block; the others count up its first word.
struct PhiloxPoint {
  std::array<std::uint32_t, 4> counter;
  std::array<std::uint32_t, 2> key;
};
PhiloxPoint philox_point(const StreamKey& key);

/// The four words with number `index` at that point: the same whoever asks, in whatever order.
std::array<std::uint32_t, 4> random_block(const StreamKey& key, std::uint32_t index);

/// Draws one number after the other from a point of the streams. The distributions are our own, as
/// those of the standard library differ between vendors.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : Rng(StreamKey{.seed = seed}) {}
  explicit Rng(const StreamKey& key) : key_(key) {}

  std::uint32_t bits();
  /// In [0, 1), a multiple of 2^-53.
  double uniform();
  /// In [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// A whole number in [0, n), without bias (Lemire 2019). n > 0.
  std::uint64_t below(std::uint64_t n);
  /// Mean 0, standard deviation 1 (Box and Muller 1958).
  double normal();
  /// A random order of the items (Fisher and Yates).
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  StreamKey key_;
  std::uint32_t index_ = 0;
  std::array<std::uint32_t, 4> block_{};
  unsigned used_ = 4;
};

inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// Elements uniform in [low, high).
Tensor uniform(const Shape& shape, double low, double high, Rng& rng);
/// Elements normal with that mean and standard deviation.
Tensor normal(const Shape& shape, double mean, double stddev, Rng& rng);

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
