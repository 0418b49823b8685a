#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "bench/model.h"
#include "bench/workload.h"
#include "support/hash.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// The parameters after some steps of a loop of one's own.
std::uint64_t bits_after(const bench::Workload& w, int steps, int threads) {
  const ThreadCount count(threads);
  const bench::Samples data = bench::samples(w);
  const nn::Sequential model = bench::mlp(w.widths);
  optim::AdamW optimizer(optim::decay_groups(model.parameters(), 0.01));
  const auto batch = static_cast<std::size_t>(w.batch), width = static_cast<std::size_t>(w.widths.front());
  for (int step = 0; step < steps; ++step) {
    const auto b = static_cast<std::size_t>(step);
    const Tensor x({w.batch, w.widths.front()}, std::span(data.inputs).subspan(b * batch * width, batch * width));
    const Tensor y(w.binary ? Shape{w.batch, 1} : Shape{w.batch}, std::span(data.labels).subspan(b * batch, batch));
    optimizer.zero_grad();
    Tape tape;
    const Tensor logits = model(x);
    tape.backward(w.binary ? binary_cross_entropy_with_logits(logits, y) : cross_entropy(logits, y));
    optimizer.step(1e-3, optim::clip_scale(optimizer.grad_norm(), 1.0));
  }
  return hash_of(model);
}

}  // namespace

TEST_CASE("parameters have the same bits on 1, 2, 3 and 8 threads, whatever the shapes") {
  for (const char* name : {"T1", "T2", "T3", "T4", "T5", "130-1023-37-10/33", "37-1500-10/1", "784-300-37-10/1000"}) {
    CAPTURE(name);
    const bench::Workload w = bench::workload(name);
    const int steps = w.widths[1] == 1024 ? 2 : 5;
    const std::uint64_t one = bits_after(w, steps, 1);
    for (const int threads : {2, 3, 8}) CHECK(bits_after(w, steps, threads) == one);
  }
}
