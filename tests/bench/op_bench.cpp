// What recording and differentiating one tiny op costs: a chain of 100 ops on a 1x8 tensor.
// prints: handrail op NAME forward NS recorded NS backward NS, medians per op
#include <handrail/handrail.h>

#include "workload.h"

using namespace handrail;

namespace {

template <class Op>
void measure(const char* name, Op op) {
  constexpr int chain = 100;
  Rng rng(1);
  const Tensor w = normal({1, 8}, 0, 1, rng), c = normal({1, 8}, 0, 1, rng);
  w.set_requires_grad(true);
  std::vector<double> forward, recorded, backward;
  for (int round = 0; round < 3000; ++round) {
    const double t0 = bench::now();
    Tensor x = w;
    for (int i = 0; i < chain; ++i) x = op(x, c);
    const double t1 = bench::now();
    Tape tape;
    x = w;
    for (int i = 0; i < chain; ++i) x = op(x, c);
    const double t2 = bench::now();
    const Tensor loss = sum(x);
    w.zero_grad();
    const double t3 = bench::now();
    tape.backward(loss);
    const double t4 = bench::now();
    forward.push_back(t1 - t0);
    recorded.push_back(t2 - t1);
    backward.push_back(t4 - t3);
  }
  const auto median = [](std::vector<double> v) {
    std::ranges::sort(v);
    return v[v.size() / 2] / chain * 1e9;
  };
  std::printf("handrail op %-5s forward %3.0f ns  recorded %3.0f ns  backward %3.0f ns\n", name, median(forward),
              median(recorded), median(backward));
}

}  // namespace

int main() {
  set_num_threads(1);
  measure("add", [](const Tensor& a, const Tensor& b) { return a + b; });
  measure("mul", [](const Tensor& a, const Tensor& b) { return a * b; });
  measure("relu", [](const Tensor& a, const Tensor&) { return relu(a); });
  measure("tanh", [](const Tensor& a, const Tensor&) { return tanh(a); });
}
