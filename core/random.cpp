#include <handrail/core/random.h>

#include <cmath>
#include <numbers>

#include <handrail/core/error.h>
#include <handrail/core/kernels/philox.h>

namespace handrail {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  std::uint32_t w0[] = {counter[0]}, w1[] = {counter[1]}, w2[] = {counter[2]}, w3[] = {counter[3]};
  kernels::philox4x32(w0, w1, w2, w3, key[0], key[1]);
  return {w0[0], w1[0], w2[0], w3[0]};
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
    // After the 2^34 words of one call, the numbers continue with those of the next call.
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
    // Products with low < -n % n are rejected. This bound is below n, so the division is almost never needed.
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
