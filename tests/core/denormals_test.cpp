#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include <handrail/core/system/denormals.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/parallel.h>

#include "support/tensors.h"

using namespace handrail;

namespace {

// volatile, so that the processor computes it rather than the compiler.
bool survives() {
  volatile float smallest_normal = 1.17549435e-38F;
  volatile float denormal = smallest_normal * 0.25F;
  return denormal != 0;
}

bool can_flush() {
  const FlushDenormals flush;
  return !survives();
}

// Whether a denormal survives in each of many chunks.
std::vector<char> chunks_where_it_survives() {
  std::vector<char> alive(64);
  parallel_for(64, num_threads(), [&](Index chunk) { alive[static_cast<std::size_t>(chunk)] = survives(); });
  return alive;
}

}  // namespace

TEST_CASE("denormals are flushed inside the scope and live outside and after it") {
  if (!can_flush()) return;  // a processor whose mode is not known
  CHECK(survives());
  const unsigned long before = fp_mode::get();
  {
    const FlushDenormals flush;
    CHECK_FALSE(survives());
    {
      const FlushDenormals inner;
      CHECK_FALSE(survives());
    }
    CHECK_FALSE(survives());
  }
  CHECK(survives());
  CHECK(fp_mode::get() == before);
}

TEST_CASE("worker threads take over the mode of the caller and put theirs back") {
  if (!can_flush()) return;
  const ThreadCount count(4);
  const auto all = [](const std::vector<char>& alive, bool want) {
    return std::ranges::all_of(alive, [want](char a) { return (a != 0) == want; });
  };
  CHECK(all(chunks_where_it_survives(), true));
  {
    const FlushDenormals flush;
    CHECK(all(chunks_where_it_survives(), false));
  }
  CHECK(all(chunks_where_it_survives(), true));
}

TEST_CASE("a tape in training flushes until its backward or its end, one in evaluation does not") {
  if (!can_flush()) return;
  const Tensor a = leaf(Tensor::ones({1}));
  {
    Tape tape;
    CHECK_FALSE(survives());
    tape.backward(square(a));
    CHECK(survives());
  }
  CHECK(survives());
  {
    const Tape tape;
    CHECK_FALSE(survives());
  }
  CHECK(survives());
  const Tape tape{Mode::eval};
  CHECK(survives());
}
