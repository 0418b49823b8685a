#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <handrail/core/system/pool.h>
#include <handrail/core/tensor.h>

#include "support/tensors.h"

using namespace handrail;

TEST_CASE("a freed tensor's memory is used by the next one of its size") {
  const Scalar* before = Tensor::zeros({1000}).data();
  CHECK(Tensor::zeros({1000}).data() == before);
  // Close in size is good enough: it is the same size class.
  CHECK(Tensor::zeros({999}).data() == before);
}

TEST_CASE("tensors that live at the same time have memory of their own") {
  std::vector<Tensor> tensors;
  std::set<const Scalar*> places;
  for (int i = 0; i < 50; ++i) {
    tensors.push_back(Tensor::full({64}, static_cast<Scalar>(i)));
    places.insert(tensors.back().data());
  }
  CHECK(places.size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) CHECK(tensors[i].data()[63] == static_cast<Scalar>(i));
}

TEST_CASE("a block holds the bytes asked for, whatever their number") {
  for (const std::size_t bytes : std::initializer_list<std::size_t>{64, 255, 256, 257, 320, 321, 4096, 4097, 100'003}) {
    pool::Block* block = pool::take(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
    // The address sanitizer speaks up when the block is too short.
    std::memset(reinterpret_cast<std::byte*>(block) + sizeof(pool::Block), 0x5A, bytes - sizeof(pool::Block));
    pool::give(block);
  }
}

TEST_CASE("a block freed by another thread is not kept there") {
  pool::Block* block = pool::take(3000);
  const void* owner = block->owner;
  bool kept = true;
  std::thread([&] {
    pool::give(block);
    // Were it kept, the next one of its size would be the same block, with its first owner.
    pool::Block* next = pool::take(3000);
    kept = next->owner == owner;
    pool::give(next);
  }).join();
  CHECK_FALSE(kept);
}

TEST_CASE("a tensor may be freed on another thread and after the thread that made it") {
  Tensor made;
  std::thread([&] { made = Tensor::full({500}, 4); }).join();
  check_values(made, std::vector<double>(500, 4.0));
  std::thread([tensor = std::exchange(made, {})]() mutable { tensor = {}; }).join();
  CHECK_FALSE(made.defined());
}

TEST_CASE("cached memory can be given back") {
  { const Tensor used = Tensor::zeros({10'000}); }
  release_cached_memory();
  release_cached_memory();
  check_values(Tensor::ones({3}), {1, 1, 1});
}
