#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <vector>

#include <handrail/core/system/finite.h>
#include <handrail/core/ops/ops.h>

#include "support/tensors.h"

using namespace handrail;

namespace {

// An op as a function of the tensor that gets the NaN.
struct Row {
  const char* name;
  Shape shape;
  std::function<Tensor(const Tensor&)> op;
};

Tensor half(const Shape& shape) { return Tensor::full(shape, Scalar(0.5)); }
RunningStats fresh(Index n) { return {Tensor::zeros({n}), Tensor::ones({n})}; }

std::vector<Row> rows() {
  // 37 elements: whole vectors of any width, and a rest.
  const Shape flat{37}, m{4, 9}, vec{9};
  const auto unary = [&](const char* name, Tensor (*op)(const Tensor&)) { return Row{name, flat, op}; };
  return {
      unary("exp", exp),
      unary("log", log),
      unary("sqrt", sqrt),
      unary("square", square),
      unary("abs", abs),
      unary("relu", relu),
      unary("tanh", tanh),
      unary("sigmoid", sigmoid),
      unary("gelu", gelu),
      unary("softplus", softplus),
      unary("sum", sum),
      unary("mean", mean),
      unary("softmax", softmax),
      unary("log_softmax", log_softmax),
      unary("logsumexp", logsumexp),
      {"logsumexp beside infinity", flat,
       [](const Tensor& x) {
         return logsumexp(cat({x, Tensor({1}, {std::numeric_limits<Scalar>::infinity()})}));
       }},
      {"pow", flat, [](const Tensor& x) { return pow(x, 2); }},
      {"clamp", flat, [](const Tensor& x) { return clamp(x, 0, 1); }},
      {"smooth_clip", flat, [](const Tensor& x) { return smooth_clip(x, half({37})); }},
      {"cat", flat,
       [](const Tensor& x) {
         return cat({half({3}), x});
       }},
      {"transpose", m, transpose},
      {"add a", flat, [](const Tensor& x) { return add(x, half({37})); }},
      {"add b", flat,
       [](const Tensor& x) {
         return add(half({2, 37}), x);
       }},
      {"sub a", flat, [](const Tensor& x) { return sub(x, half({1})); }},
      {"sub b", flat, [](const Tensor& x) { return sub(half({37}), x); }},
      {"mul a", flat, [](const Tensor& x) { return mul(x, Tensor::zeros({37})); }},
      {"mul b", flat, [](const Tensor& x) { return mul(Tensor::zeros({37}), x); }},
      {"div a", flat, [](const Tensor& x) { return div(x, half({37})); }},
      {"div b", flat, [](const Tensor& x) { return div(half({37}), x); }},
      {"affine", flat, [](const Tensor& x) { return affine(x, 0, 1); }},
      {"matmul a", m,
       [](const Tensor& x) {
         return matmul(x, Tensor::zeros({9, 5}));
       }},
      {"matmul b", m,
       [](const Tensor& x) {
         return matmul(Tensor::zeros({3, 4}), x);
       }},
      {"linear x", m,
       [](const Tensor& x) {
         return linear(x, Tensor::zeros({9, 5}), half({5}));
       }},
      {"linear weight", m,
       [](const Tensor& x) {
         return linear(Tensor::zeros({3, 4}), x, half({9}));
       }},
      {"linear bias", vec,
       [](const Tensor& x) {
         return linear(half({3, 4}), half({4, 9}), x);
       }},
      {"sum axis", m, [](const Tensor& x) { return sum(x, 0); }},
      {"mean axis", m, [](const Tensor& x) { return mean(x, 1, true); }},
      {"reshape", m, [](const Tensor& x) { return reshape(x, {36}); }},
      {"cross_entropy", m,
       [](const Tensor& x) {
         return cross_entropy(x, Tensor({4}, {0, 8, 3, 1}));
       }},
      {"binary_cross_entropy_with_logits", m,
       [](const Tensor& x) {
         return binary_cross_entropy_with_logits(x, half({4, 9}));
       }},
      {"mse_loss predictions", m,
       [](const Tensor& x) {
         return mse_loss(x, half({4, 9}));
       }},
      {"mse_loss targets", m,
       [](const Tensor& x) {
         return mse_loss(half({4, 9}), x);
       }},
      {"l1_loss predictions", m,
       [](const Tensor& x) {
         return l1_loss(x, half({4, 9}));
       }},
      {"l1_loss targets", m,
       [](const Tensor& x) {
         return l1_loss(half({4, 9}), x);
       }},
      {"huber_loss predictions", m,
       [](const Tensor& x) {
         return huber_loss(x, half({4, 9}));
       }},
      {"huber_loss targets", m,
       [](const Tensor& x) {
         return huber_loss(half({4, 9}), x);
       }},
      {"layer_norm x", m, [](const Tensor& x) { return layer_norm(x, half({9}), half({9})); }},
      {"layer_norm gain", vec,
       [](const Tensor& x) {
         return layer_norm(half({4, 9}), x, half({9}));
       }},
      {"layer_norm shift", vec,
       [](const Tensor& x) {
         return layer_norm(half({4, 9}), half({9}), x);
       }},
      {"batch_norm x", m, [](const Tensor& x) { return batch_norm(x, half({9}), half({9}), fresh(9)); }},
      {"batch_norm gain", vec,
       [](const Tensor& x) {
         return batch_norm(half({4, 9}), x, half({9}), fresh(9));
       }},
      {"batch_norm shift", vec,
       [](const Tensor& x) {
         return batch_norm(half({4, 9}), half({9}), x, fresh(9));
       }},
      {"dropout", m, [](const Tensor& x) { return dropout(x, 0.5); }},
  };
}

void every_position_comes_out() {
  for (const Row& row : rows())
    for (Index i = 0; i < row.shape.size(); ++i) {
      const Tensor x = half(row.shape);
      x.mutable_data()[i] = std::numeric_limits<Scalar>::quiet_NaN();
      CHECK_MESSAGE(first_non_finite(row.op(x).span()) >= 0, row.name, ", element ", i);
    }
}

}  // namespace

TEST_CASE("a NaN in an input of any op comes out in evaluation") { every_position_comes_out(); }

TEST_CASE("a NaN in an input of any op comes out in training, also where dropout drops it") {
  const Tape tape(Mode::train, {.seed = 1, .position = 1});
  every_position_comes_out();
}

TEST_CASE("a NaN in running statistics comes out in evaluation") {
  const Tensor bad = Tensor::full({3}, std::numeric_limits<Scalar>::quiet_NaN());
  const auto evaluate = [](const RunningStats& running) {
    return batch_norm(half({2, 3}), half({3}), half({3}), running);
  };
  CHECK(first_non_finite(evaluate({bad, Tensor::ones({3})}).span()) == 0);
  CHECK(first_non_finite(evaluate({Tensor::zeros({3}), bad}).span()) == 0);
}
