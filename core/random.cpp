#include <handrail/core/random.h>

#include <cmath>
#include <numbers>

#include <handrail/core/error.h>

namespace handrail {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

PhiloxPoint philox_point(const StreamKey& key) {
  const auto stream = static_cast<std::uint32_t>(key.stream) << 24;
  return {.counter = {0, static_cast<std::uint32_t>(key.position), static_cast<std::uint32_t>(key.position >> 32),
                      stream | (key.call & 0xFFFFFF)},
          .key = {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)}};
}

std::array<std::uint32_t, 4> random_block(const StreamKey& key, std::uint32_t index) {
  PhiloxPoint point = philox_point(key);
  point.counter[0] = index;
  return philox4x32(point.counter, point.key);
}

std::uint32_t Rng::bits() {
  if (used_ == 4) {
    block_ = random_block(key_, index_);
    // A stream that is drawn from one by one goes on at the next call when its 2^34 words are used up.
    if (++index_ == 0) ++key_.call;
    used_ = 0;
  }
  return block_[used_++];
}

double Rng::uniform() {
  const std::uint64_t high = bits();
  return static_cast<double>((high << 32 | bits()) >> 11) * 0x1p-53;
}

std::uint64_t Rng::below(std::uint64_t n) {
  if (n == 0) fail("Rng::below: want n > 0; got 0");
  for (;;) {
    const std::uint64_t high = bits();
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{high << 32 | bits()} * n;
    // The bound of the rejected ones, -n % n, is below n: the division is hardly ever needed.
    const auto low = static_cast<std::uint64_t>(product);
    if (low >= n || low >= -n % n) return static_cast<std::uint64_t>(product >> 64);
  }
}

double Rng::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

inline namespace HANDRAIL_SCALAR_NAMESPACE {

Tensor uniform(const Shape& shape, double low, double high, Rng& rng) {
  Tensor t(shape);
  for (Scalar& element : t.mutable_span()) element = static_cast<Scalar>(rng.uniform(low, high));
  return t;
}

Tensor normal(const Shape& shape, double mean, double stddev, Rng& rng) {
  Tensor t(shape);
  for (Scalar& element : t.mutable_span()) element = static_cast<Scalar>(mean + stddev * rng.normal());
  return t;
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
