// What recording and differentiating one tiny op costs: a chain of 100 ops on a 1x8 tensor. Then what ops take that are
// no products, on 128 x 256.
// prints: handrail op NAME forward NS recorded NS backward NS, medians per op
//         handrail large-op NAME forward US backward US
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

template <class Op>
void measure_large(const char* name, Op op) {
  Rng rng(1);
  const Tensor x = normal({128, 256}, 0, 1, rng);
  x.set_requires_grad(true);
  std::vector<double> forward, backward;
  for (int round = 0; round < 2000; ++round) {
    x.zero_grad();
    Tape tape(Mode::train, {.seed = 1, .position = static_cast<std::uint64_t>(round)});
    const double t0 = bench::now();
    const Tensor y = op(x);
    const double t1 = bench::now();
    const Tensor loss = y.size() == 1 ? y : sum(y);
    const double t2 = bench::now();
    tape.backward(loss);
    const double t3 = bench::now();
    forward.push_back(t1 - t0);
    backward.push_back(t3 - t2);
  }
  const auto median = [](std::vector<double> v) {
    std::ranges::sort(v);
    return v[v.size() / 2] * 1e6;
  };
  std::printf("handrail large-op %-14s forward %6.1f us  backward %6.1f us\n", name, median(forward), median(backward));
}

void measure_large_ones() {
  Rng rng(2);
  const Tensor same = normal({128, 256}, 0, 1, rng), row = normal({256}, 0, 1, rng),
               column = normal({128, 1}, 0, 1, rng), share = sigmoid(same), classes = Tensor::zeros({128}),
               gain = Tensor::ones({256}), shift = Tensor::zeros({256});
  for (const Tensor& leaf : {row, column, gain, shift}) leaf.set_requires_grad(true);
  const RunningStats running{Tensor::zeros({256}), Tensor::ones({256})};
  measure_large("relu", [](const Tensor& x) { return relu(x); });
  measure_large("tanh", [](const Tensor& x) { return tanh(x); });
  measure_large("sigmoid", [](const Tensor& x) { return sigmoid(x); });
  measure_large("gelu", [](const Tensor& x) { return gelu(x); });
  measure_large("softplus", [](const Tensor& x) { return softplus(x); });
  measure_large("exp", [](const Tensor& x) { return exp(x); });
  measure_large("log", [&](const Tensor& x) { return log(x); });
  measure_large("sqrt", [&](const Tensor& x) { return sqrt(x); });
  measure_large("square", [](const Tensor& x) { return square(x); });
  measure_large("abs", [](const Tensor& x) { return abs(x); });
  measure_large("affine", [](const Tensor& x) { return affine(x, 2, 1); });
  measure_large("add", [&](const Tensor& x) { return x + same; });
  measure_large("mul", [&](const Tensor& x) { return x * same; });
  measure_large("div", [&](const Tensor& x) { return x / same; });
  measure_large("add-row", [&](const Tensor& x) { return x + row; });
  measure_large("mul-row", [&](const Tensor& x) { return x * row; });
  measure_large("mul-column", [&](const Tensor& x) { return x * column; });
  measure_large("sum-axis0", [](const Tensor& x) { return sum(x, 0); });
  measure_large("sum-axis1", [](const Tensor& x) { return sum(x, 1); });
  measure_large("mean", [](const Tensor& x) { return mean(x); });
  measure_large("dropout", [](const Tensor& x) { return dropout(x, 0.5); });
  measure_large("layer_norm", [&](const Tensor& x) { return layer_norm(x, gain, shift); });
  measure_large("batch_norm", [&](const Tensor& x) { return batch_norm(x, gain, shift, running); });
  measure_large("softmax", [](const Tensor& x) { return softmax(x); });
  measure_large("log_softmax", [](const Tensor& x) { return log_softmax(x); });
  measure_large("cross_entropy", [&](const Tensor& x) { return cross_entropy(x, classes); });
  measure_large("bce", [&](const Tensor& x) { return binary_cross_entropy_with_logits(x, share); });
  measure_large("mse", [&](const Tensor& x) { return mse_loss(x, same); });
}

}  // namespace

int main() {
  set_num_threads(1);
  measure("add", [](const Tensor& a, const Tensor& b) { return a + b; });
  measure("mul", [](const Tensor& a, const Tensor& b) { return a * b; });
  measure("relu", [](const Tensor& a, const Tensor&) { return relu(a); });
  measure("tanh", [](const Tensor& a, const Tensor&) { return tanh(a); });
  measure_large_ones();
}
