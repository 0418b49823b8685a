#include <handrail/nn/norm.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

#include "reference/close.h"
#include "reference/figures.h"
#include "reference/inputs.h"
#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// Puts the reference's gain and shift into a layer of D features, trains on x with gy, and compares.
template <class Layer>
void check_norm(const Layer& layer, const Tensor& x, const reference::Norm& want, Mode mode = Mode::train) {
  x.set_requires_grad(true);
  for (const Tensor& t : {layer.weight, layer.bias}) t.zero_grad();
  Tape tape{mode};
  const Tensor y = layer(x);
  tape.backward(sum(y * reference::values(x.shape(), 2000)));
  // Values and gradients are of size 1; sums over columns of up to six terms lose a digit at most.
  reference::check_close(y.span(), want.value, 3e-6, 1);
  reference::check_close(x.grad().span(), want.x, 3e-6, 1);
  reference::check_close(layer.weight.grad().span(), want.gain, 3e-6, 1);
  reference::check_close(layer.bias.grad().span(), want.shift, 3e-6, 1);
}

template <class Layer>
void set_affine(const Layer& layer) {
  const Shape& shape = layer.weight.shape();
  std::ranges::copy(reference::values(shape, 4000).span(), layer.weight.mutable_data());
  std::ranges::copy(reference::values(shape, 4100).span(), layer.bias.mutable_data());
}

Tensor batch(std::uint32_t b) {
  const Tensor x = reference::values({6, 4}, 5000 + 100 * b, 2);
  for (Index i = 0; i < x.size(); ++i) x.mutable_data()[i] += static_cast<Scalar>(3 * (i % 4));
  return x;
}

}  // namespace

TEST_CASE("LayerNorm is PyTorch's, values and gradients") {
  const nn::LayerNorm layer{6};
  set_affine(layer);
  const Tensor x = reference::values({4, 6}, 1000, 3);
  std::ranges::copy(reference::values({6}, 1018, 256).span(), x.mutable_data() + 18);
  check_norm(layer, x, reference::layer_norm);
}

TEST_CASE("BatchNorm1d is PyTorch's: values, gradients and running statistics in training, then evaluation") {
  const nn::BatchNorm1d layer{4};
  set_affine(layer);
  const reference::Norm* want[] = {&reference::batch_norm_0, &reference::batch_norm_1, &reference::batch_norm_2};
  for (std::uint32_t b = 0; b < 3; ++b) {
    CAPTURE(b);
    check_norm(layer, batch(b), *want[b]);
    const std::span<const double> running(reference::batch_norm_running[b]);
    reference::check_close(layer.running_mean.span(), running.first(4), 1e-6, 1);
    reference::check_close(layer.running_var.span(), running.subspan(4), 1e-6, 1);
  }
  check_norm(layer, batch(0), reference::batch_norm_eval, Mode::eval);
  const std::span<const double> running(reference::batch_norm_running[2]);
  reference::check_close(layer.running_mean.span(), running.first(4), 1e-6, 1);
  reference::check_close(layer(batch(0)).span(), reference::batch_norm_eval.value, 3e-6, 1);
}

TEST_CASE("norm layers start as the identity of what they normalise and exempt from decay") {
  const nn::LayerNorm layer{3};
  const nn::BatchNorm1d batch_norm{3};
  CHECK(same_bits(layer.weight, Tensor::ones({3})));
  CHECK(same_bits(layer.bias, Tensor::zeros({3})));
  CHECK(same_bits(batch_norm.running_mean, Tensor::zeros({3})));
  CHECK(same_bits(batch_norm.running_var, Tensor::ones({3})));
  for (const Parameter& p : layer.parameters()) CHECK(p.role == Role::norm);
  for (const Parameter& p : batch_norm.parameters()) CHECK(p.role == Role::norm);
  CHECK(layer.buffers().empty());
  REQUIRE(batch_norm.buffers().size() == 2);
  CHECK(batch_norm.buffers()[0].name == "running_mean");
  CHECK(batch_norm.buffers()[1].name == "running_var");
}

TEST_CASE("LayerNorm does the same in training and evaluation, each row by itself") {
  const nn::LayerNorm layer{6};
  const Tensor x = reference::values({4, 6}, 0), y = layer(x);
  {
    const Tape tape;
    CHECK(same_bits(layer(x), y));
  }
  CHECK(same_bits(layer(Tensor({1, 6}, x.span().subspan(6, 6))), Tensor({1, 6}, y.span().subspan(6, 6))));
}

TEST_CASE("LayerNorm gives the bias for a constant row and holds for rows far from zero") {
  const nn::LayerNorm layer{4};
  check_values(layer(Tensor::full({2, 4}, 7)), std::vector<double>(8, 0.0));
  const double s = 1 / std::sqrt(1.25);
  check_values(layer(Tensor({1, 4}, {10000, 10001, 10002, 10003})), {-1.5 * s, -0.5 * s, 0.5 * s, 1.5 * s}, 1e-5);
}

TEST_CASE("BatchNorm1d evaluates without a tape and leaves its statistics as they are") {
  const nn::BatchNorm1d layer{2, {.eps = 0}};
  std::ranges::copy(Tensor({2}, {1, 2}).span(), layer.running_mean.mutable_data());
  std::ranges::copy(Tensor({2}, {4, 0.25}).span(), layer.running_var.mutable_data());
  check_values(layer(Tensor({1, 2}, {5, 3})), {2, 2});
  {
    const Tape tape{Mode::eval};
    check_values(layer(Tensor({1, 2}, {5, 3})), {2, 2});
  }
  CHECK(same_bits(layer.running_mean, Tensor({2}, {1, 2})));
  CHECK(same_bits(layer.running_var, Tensor({2}, {4, 0.25})));
}

TEST_CASE("BatchNorm1d's momentum is the weight of the newest batch") {
  const nn::BatchNorm1d layer{1, {.momentum = 0.25}};
  const Tape tape;
  layer(Tensor({2, 1}, {2, 6}));  // mean 4, variance 8 with N - 1
  CHECK(layer.running_mean.item() == 1);
  CHECK(layer.running_var.item() == Scalar(0.75 + 0.25 * 8));
}

TEST_CASE("a batch that is not finite leaves the running statistics as they are") {
  const nn::BatchNorm1d layer{2};
  for (const Scalar bad : {std::numeric_limits<Scalar>::quiet_NaN(), std::numeric_limits<Scalar>::infinity()}) {
    const Tape tape;
    layer(Tensor({2, 2}, {1, 2, bad, 4}));
    CHECK(same_bits(layer.running_mean, Tensor::zeros({2})));
    CHECK(same_bits(layer.running_var, Tensor::ones({2})));
  }
}

TEST_CASE("norm layers refuse inputs that do not fit") {
  const nn::LayerNorm layer{3};
  const nn::BatchNorm1d batch_norm{3};
  check_throws<ShapeError>(
      [&] {
        layer(Tensor::ones({2, 4}));
      },
      "layer_norm: want x [N, D], gain [D], shift [D]; got x [2, 4], gain [3], shift [3]");
  check_throws<ShapeError>([&] { batch_norm(Tensor::ones({2, 4})); }, "batch_norm: want x [N, D]", "got x [2, 4]");
  const Tape tape;
  check_throws<ShapeError>(
      [&] {
        batch_norm(Tensor::ones({1, 3}));
      },
      "batch_norm: want at least 2 rows to train on; got x [1, 3]");
}
