// The first step of T4 in a loop of one's own, and the end: tests/bench/all times the whole process.
#include "model.h"
#include "workload.h"

using namespace handrail;

int main() {
  const bench::Workload w = bench::workload("T4");
  Rng rng(1);
  const Tensor x = normal({w.batch, w.widths.front()}, 0, 1, rng), y = Tensor::zeros({w.batch});
  const nn::Sequential model = bench::mlp(w.widths);
  optim::AdamW optimizer(optim::decay_groups(model.parameters(), 0.01));
  {
    Tape tape;
    tape.backward(cross_entropy(model(x), y));
  }
  optimizer.step(1e-3, optim::clip_scale(optimizer.grad_norm(), 1.0));
}
