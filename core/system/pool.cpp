#include <handrail/core/system/pool.h>

#include <array>
#include <bit>
#include <new>
#include <utility>

namespace handrail::pool {
namespace {

constexpr std::size_t min_bytes = 256;
constexpr std::align_val_t alignment{64};

// Four classes to each power of two: at most a quarter of a block is unused.
constexpr std::uint32_t class_of(std::size_t bytes) {
  if (bytes <= min_bytes) return 0;
  const auto exponent = static_cast<std::uint32_t>(std::bit_width(bytes - 1)) - 1;
  const auto quarter = static_cast<std::uint32_t>(((bytes - 1) >> (exponent - 2)) & 3);
  return 4 * (exponent - static_cast<std::uint32_t>(std::bit_width(min_bytes - 1))) + quarter + 1;
}
constexpr std::size_t bytes_of(std::uint32_t size_class) {
  if (size_class == 0) return min_bytes;
  const std::uint32_t step = size_class - 1;
  return (min_bytes + min_bytes / 4 * (step % 4 + 1)) << (step / 4);
}
static_assert(bytes_of(class_of(256)) == 256 && bytes_of(class_of(257)) == 320);
static_assert(bytes_of(class_of(512)) == 512 && bytes_of(class_of(513)) == 640);
static_assert(bytes_of(class_of(448)) == 448 && bytes_of(class_of(449)) == 512);

class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  Block* take(std::size_t bytes) {
    const std::uint32_t size_class = class_of(bytes);
    if (Block* block = free_[size_class]) {
      free_[size_class] = block->next;
      return block;
    }
    auto* block = ::new (::operator new(bytes_of(size_class), alignment)) Block;
    block->owner = this;
    block->size_class = size_class;
    return block;
  }
  void give(Block* block) noexcept {
    block->next = free_[block->size_class];
    free_[block->size_class] = block;
  }
  void release() noexcept {
    for (Block*& head : free_)
      while (head) ::operator delete(std::exchange(head, head->next), alignment);
  }

 private:
  std::array<Block*, 256> free_{};
};

// A tensor with static storage may outlive the pool of its thread.
thread_local constinit bool cache_is_gone = false;
thread_local Pool cache;
Pool::~Pool() {
  release();
  cache_is_gone = true;
}

}  // namespace

Block* take(std::size_t bytes) { return cache.take(bytes); }

void give(Block* block) noexcept {
  if (!cache_is_gone && block->owner == &cache)
    cache.give(block);
  else
    ::operator delete(block, alignment);
}

}  // namespace handrail::pool

namespace handrail {

void release_cached_memory() noexcept {
  if (!pool::cache_is_gone) pool::cache.release();
}

}  // namespace handrail
