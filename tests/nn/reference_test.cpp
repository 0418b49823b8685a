#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/ops/ops.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/sequential.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/clip.h>

#include "reference/close.h"
#include "reference/figures.h"
#include "reference/inputs.h"

using namespace handrail;

namespace {

// [4, 6]; the last row is large, where softmax and exp need care.
Tensor op_input() {
  Tensor x = reference::values({4, 6}, 1000, 3);
  std::ranges::copy(reference::values({6}, 1018, 256).span(), x.mutable_data() + 18);
  x.set_requires_grad(true);
  return x;
}

// The tensors of a model, or their gradients, one after the other.
template <class Get>
std::vector<Scalar> flat(const nn::Module& model, Get get) {
  std::vector<Scalar> all;
  for (const Parameter& p : model.parameters()) {
    const Tensor tensor = get(p.tensor);
    all.insert(all.end(), tensor.span().begin(), tensor.span().end());
  }
  return all;
}

}  // namespace

TEST_CASE("activations and softmax are PyTorch's, values and gradients") {
  const std::map<std::string, Tensor (*)(const Tensor&)> functions{
      {"relu", relu},         {"tanh", tanh},       {"sigmoid", sigmoid},        {"gelu", gelu},
      {"softplus", softplus}, {"softmax", softmax}, {"log_softmax", log_softmax}};
  for (const reference::Op& want : reference::ops) {
    CAPTURE(want.name);
    const Tensor x = op_input();
    Tape tape;
    const Tensor y = functions.at(want.name)(x);
    tape.backward(sum(y * reference::values({4, 6}, 2000)));
    // Vectorised exp and tanh are off by a few roundings of 6e-8, and more steps follow.
    reference::check_close(y.span(), want.value, 3e-6, 1);
    reference::check_close(x.grad().span(), want.gradient, 3e-6, 1);
  }
}

TEST_CASE("losses are PyTorch's, values and gradients") {
  const Tensor classes({4}), shares({4, 6});
  for (Index i = 0; i < 4; ++i) classes.mutable_data()[i] = static_cast<Scalar>((5 * i + 2) % 6);
  for (Index i = 0; i < 24; ++i) shares.mutable_data()[i] = static_cast<Scalar>(i % 5) / 4;
  struct Case {
    Tensor (*loss)(const Tensor&, const Tensor&);
    Tensor targets;
  };
  const std::map<std::string, Case> cases{
      {"cross_entropy", {cross_entropy, classes}},
      {"binary_cross_entropy_with_logits", {binary_cross_entropy_with_logits, shares}},
      {"mse_loss", {mse_loss, reference::values({4, 6}, 3000)}}};
  for (const reference::Loss& want : reference::losses) {
    CAPTURE(want.name);
    const auto& [function, targets] = cases.at(want.name);
    const Tensor x = op_input();
    Tape tape;
    const Tensor loss = function(x, targets);
    tape.backward(loss);
    CHECK(static_cast<double>(loss.item()) == doctest::Approx(want.value).epsilon(1e-6));
    reference::check_close(x.grad().span(), want.gradient, 1e-6, 0.1);
  }
}

TEST_CASE("training steps of an MLP are PyTorch's: loss, every gradient, and parameters after clip and AdamW") {
  Rng rng{1};
  const nn::Sequential model{nn::Linear{6, 8, rng}, nn::ReLU{}, nn::Linear{8, 5, rng}, nn::ReLU{},
                             nn::Linear{5, 3, rng}};
  std::uint32_t layer = 0;
  for (const Parameter& p : model.parameters()) {
    const bool weight = p.role == Role::weight;
    const Tensor initial = reference::values(p.tensor.shape(), (weight ? 6000 : 6500) + 100 * layer, 0.5);
    std::ranges::copy(initial.span(), p.tensor.mutable_data());
    layer += weight ? 0 : 1;
  }
  const Tensor x = reference::values({7, 6}, 7000), targets({7});
  for (Index i = 0; i < 7; ++i) targets.mutable_data()[i] = static_cast<Scalar>((2 * i + i / 3) % 3);

  const auto values = [](const Tensor& t) { return t; };
  const auto gradients = [](const Tensor& t) { return t.grad(); };
  optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.01)};
  for (std::size_t step = 0; step < 5; ++step) {
    CAPTURE(step);
    optimizer.zero_grad();
    Tape tape;
    const Tensor loss = cross_entropy(model(x), targets);
    CHECK(static_cast<double>(loss.item()) == doctest::Approx(reference::mlp_losses[step]).epsilon(1e-6));
    tape.backward(loss);
    // Sums of some dozen products of size 1, each rounded by 6e-8.
    if (step == 0) reference::check_close(flat(model, gradients), reference::mlp_gradients, 5e-6, 0.1);
    const double norm = optimizer.grad_norm();
    CHECK(norm == doctest::Approx(reference::mlp_norms[step]).epsilon(2e-6));
    optimizer.step(1e-2, optim::clip_scale(norm, 1));
    if (step == 0) reference::check_close(flat(model, values), reference::mlp_params_1, 1e-6, 0.1);
    if (step == 4) reference::check_close(flat(model, values), reference::mlp_params_5, 5e-6, 0.1);
  }
}
