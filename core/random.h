#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <handrail/core/tensor.h>

namespace handrail {

/// Philox4x32-10, a counter-based generator: four random words as a pure function of a counter and a key (Salmon,
/// Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3").
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// The purposes of random numbers. The streams of one seed do not overlap. The library uses all but `user`, which is
/// for programs.
enum class Stream : std::uint8_t { init, shuffle, split, dropout, verify, part, user = 128 };

/// A point in the random streams of a seed.
struct StreamKey {
  std::uint64_t seed;            // the same seed gives the same numbers
  Stream stream = Stream::init;  // the purpose of the numbers
  std::uint64_t position = 0;    // such as the training step
  std::uint32_t call = 0;        // counts the uses at one position; below 2^24
};

/// The key of Philox at a StreamKey and the counter of its first block. The first word of the counter counts the
/// blocks.
struct PhiloxPoint {
  std::array<std::uint32_t, 4> counter;  // 0, the position (low word first), and the stream with the call
  std::array<std::uint32_t, 2> key;      // the seed, its low word first
};
/// The point of Philox that a StreamKey stands for. Only the low 24 bits of `call` count.
PhiloxPoint philox_point(const StreamKey& key);

/// The four random words of block number `index` at that point: a pure function of its arguments.
std::array<std::uint32_t, 4> random_block(const StreamKey& key, std::uint32_t index);

/// Draws one number after another, starting at a point of the random streams. The same seed gives the same numbers with
/// every compiler, unlike the distributions of the standard library.
/// Threads: an Rng belongs to one thread at a time.
class Rng {
 public:
  /// Draws from Stream::init of the seed.
  explicit Rng(std::uint64_t seed) : Rng(StreamKey{.seed = seed}) {}
  /// Draws from block 0 of that point on.
  explicit Rng(const StreamKey& key) : key_(key) {}

  /// 32 random bits.
  std::uint32_t bits();
  /// A multiple of 2^-53, uniform in [0, 1).
  double uniform();
  /// A number that is uniform in [low, high], up to rounding.
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// A whole number that is uniform in [0, n), without bias (Lemire 2019). Throws Error when n is 0.
  std::uint64_t below(std::uint64_t n);
  /// A normal number with mean 0 and standard deviation 1 (Box and Muller 1958).
  double normal();
  /// Puts the items in a random order, in place (Fisher and Yates 1938).
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

/// A new tensor with elements uniform in [low, high].
Tensor uniform(const Shape& shape, double low, double high, Rng& rng);
/// A new tensor with normal elements of that mean and standard deviation.
Tensor normal(const Shape& shape, double mean, double stddev, Rng& rng);

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
