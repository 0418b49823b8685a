#include <doctest/doctest.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

#include "support/gradients.h"

using namespace handrail;

// The gradient of every op of core/ops/ops.h against differences. The CTest every_op_has_a_gradient_row
// reads the rows below: the name of each starts its line.

namespace {

using Tensors = std::vector<Tensor>;
using F = std::function<Tensor(const Tensors&)>;
using Make = std::function<Tensors(Rng&)>;

// One input of up to three dimensions, away from kinks, or between low and high.
Make any() {
  return [](Rng& rng) { return Tensors{off_zero({any_size(rng), any_size(rng), any_size(rng)}, rng)}; };
}
Make between(double low, double high) {
  return [=](Rng& rng) { return Tensors{uniform({any_size(rng), any_size(rng)}, low, high, rng)}; };
}
// Inputs of these shapes, away from zero so that they may divide.
Make shapes(std::initializer_list<Shape> list) {
  return [all = std::vector<Shape>(list)](Rng& rng) {
    Tensors inputs;
    for (const Shape& shape : all) inputs.push_back(off_zero(shape, rng));
    return inputs;
  };
}
F unary(Tensor (*op)(const Tensor&)) {
  return [op](const Tensors& in) { return op(in[0]); };
}
F twice(Tensor (*op)(const Tensor&, const Tensor&)) {
  return [op](const Tensors& in) { return op(in[0], in[0]); };
}

// x [N, D] with N > 1, gain [D] and shift [D].
Tensors norm_inputs(Rng& rng) {
  const Index n = any_size(rng) + 1, d = any_size(rng) + 1;
  return {uniform({n, d}, -2, 2, rng), off_zero({d}, rng), uniform({d}, -1, 1, rng)};
}
Tensors logits_of(Rng& rng) { return {uniform({any_size(rng), any_size(rng) + 1}, -3, 3, rng)}; }
// Some class for each row.
Tensor classes_of(const Tensor& logits) {
  Rng rng(5);
  Tensor targets(Shape{logits.shape()[0]});
  for (Scalar& t : targets.mutable_span())
    t = static_cast<Scalar>(rng.below(static_cast<std::uint64_t>(logits.shape()[1])));
  return targets;
}
Tensor probabilities_of(const Tensor& logits) {
  Rng rng(6);
  return uniform(logits.shape(), 0, 1, rng);
}
// 0, 0.7, 1.4, ...
Tensor bends_of(const Tensor& x) {
  Tensor bends(Shape{x.shape().cols()});
  for (Index j = 0; j < bends.size(); ++j) bends.mutable_data()[j] = static_cast<Scalar>(0.7 * static_cast<double>(j));
  return bends;
}
Tensor in_training(const Tensors& in) {
  return batch_norm(in[0], in[1], in[2], {Tensor::zeros(in[1].shape()), Tensor::ones(in[1].shape())});
}
Tensor with_running(const Tensors& in) {
  return batch_norm(in[0], in[1], in[2],
                    {Tensor::full(in[1].shape(), Scalar(0.3)), Tensor::full(in[1].shape(), Scalar(1.7))});
}

// clang-format off
const std::vector<GradientRow> rows{
    {"affine", any(), [](const Tensors& in) { return affine(in[0], -1.5, 0.25); }},
    {"exp", any(), unary(exp)},
    {"log", between(0.5, 3), unary(log)},
    {"sqrt", between(0.5, 3), unary(sqrt)},
    {"square", any(), unary(square)},
    {"abs", any(), unary(abs)},
    {"pow", between(0.5, 3), [](const Tensors& in) { return pow(in[0], 2.5); }},
    {"pow: a whole exponent of negative elements", any(), [](const Tensors& in) { return pow(in[0], -3); }},
    {"clamp", any(), [](const Tensors& in) { return clamp(in[0], -0.1, 10); }},
    {"clamp: from above, beside another use", any(),
     [](const Tensors& in) { return mul(in[0], clamp(in[0], -10, 0.1)); }},
    {"smooth_clip: columns that are bent more and more", any(),
     [](const Tensors& in) { return smooth_clip(in[0], bends_of(in[0])); }},
    {"relu", any(), unary(relu)},
    {"tanh", any(), unary(tanh)},
    {"sigmoid", any(), unary(sigmoid)},
    {"gelu", any(), unary(gelu)},
    {"softplus", any(), unary(softplus)},

    {"add: an input twice", any(), twice(add)},
    {"sub: an input twice", any(), [](const Tensors& in) { return sub(in[0], affine(in[0], 3, 0)); }},
    {"mul: an input twice", any(), twice(mul)},
    {"div: an input and its square", any(), [](const Tensors& in) { return div(in[0], square(in[0])); }},

    {"matmul", [](Rng& rng) {
       const Index n = any_size(rng), k = any_size(rng), m = any_size(rng);
       return Tensors{off_zero({n, k}, rng), off_zero({k, m}, rng)};
     }, [](const Tensors& in) { return matmul(in[0], in[1]); }},
    {"matmul: an input twice", shapes({{3, 3}}), twice(matmul)},
    {"linear", [](Rng& rng) {
       const Index n = any_size(rng), in = any_size(rng), out = any_size(rng);
       return Tensors{off_zero({n, in}, rng), off_zero({in, out}, rng), off_zero({out}, rng)};
     }, [](const Tensors& in) { return linear(in[0], in[1], in[2]); }},
    {"linear: without bias", shapes({{4, 3}, {3, 2}}), [](const Tensors& in) { return linear(in[0], in[1]); }},
    {"linear: one sample to one output", shapes({{1, 3}, {3, 1}, {1}}),
     [](const Tensors& in) { return linear(in[0], in[1], in[2]); }},
    {"linear: x of three dimensions", shapes({{2, 2, 3}, {3, 2}, {2}}),
     [](const Tensors& in) { return linear(in[0], in[1], in[2]); }},
    {"linear: larger than a register tile", shapes({{9, 5}, {5, 19}, {19}}),
     [](const Tensors& in) { return linear(in[0], in[1], in[2]); }},
    {"linear: twice with one weight", shapes({{2, 3}, {3, 3}, {3}}),
     [](const Tensors& in) { return linear(linear(in[0], in[1], in[2]), in[1], in[2]); }},

    {"sum", any(), unary(sum)},
    {"sum: over the first axis", any(), [](const Tensors& in) { return sum(in[0], 0); }},
    {"sum: over the middle axis, kept", any(), [](const Tensors& in) { return sum(in[0], 1, true); }},
    {"sum: over the last axis", any(), [](const Tensors& in) { return sum(in[0], -1); }},
    {"sum: over an axis, beside another use", any(),
     [](const Tensors& in) { return mul(in[0], sum(in[0], 1, true)); }},
    {"mean", any(), unary(mean)},
    {"mean: over the first axis, kept", any(), [](const Tensors& in) { return mean(in[0], 0, true); }},
    {"mean: over the middle axis", any(), [](const Tensors& in) { return mean(in[0], 1); }},
    {"mean: over the last axis, beside another use", any(),
     [](const Tensors& in) { return sub(in[0], mean(in[0], -1, true)); }},
    {"reshape", shapes({{2, 6}}), [](const Tensors& in) { return square(reshape(in[0], {3, 4})); }},
    {"reshape: there and back, added", shapes({{2, 3}}),
     [](const Tensors& in) { return mul(in[0], reshape(reshape(in[0], {6}), {2, 3})); }},
    {"transpose", shapes({{3, 4}}), [](const Tensors& in) { return square(transpose(in[0])); }},
    {"transpose: beside another use", shapes({{3, 3}}),
     [](const Tensors& in) { return mul(in[0], transpose(in[0])); }},
    {"cat", shapes({{2, 3}, {2, 1}, {2, 2}}),
     [](const Tensors& in) { return square(cat({in[0], in[1], in[2]}, 1)); }},
    {"cat: along the first axis", shapes({{2, 3}, {1, 3}}),
     [](const Tensors& in) { return square(cat({in[0], in[1]})); }},
    {"cat: along the middle axis, an input twice", shapes({{2, 1, 3}, {2, 2, 3}}),
     [](const Tensors& in) { return square(cat({in[0], in[1], in[0]}, 1)); }},

    {"softmax", any(), unary(softmax)},
    {"softmax: beside another use", any(), [](const Tensors& in) { return mul(in[0], softmax(in[0])); }},
    {"log_softmax", any(), unary(log_softmax)},
    {"log_softmax: beside another use", any(), [](const Tensors& in) { return mul(in[0], log_softmax(in[0])); }},
    {"logsumexp", any(), unary(logsumexp)},
    {"logsumexp: beside another use", any(),
     [](const Tensors& in) { return mul(in[0], sum(square(logsumexp(in[0])))); }},

    {"cross_entropy", logits_of, [](const Tensors& in) { return cross_entropy(in[0], classes_of(in[0])); }},
    {"cross_entropy: beside another use", logits_of,
     [](const Tensors& in) { return add(sum(square(in[0])), cross_entropy(in[0], classes_of(in[0]))); }},
    {"cross_entropy: scaled", logits_of,
     [](const Tensors& in) { return affine(cross_entropy(in[0], classes_of(in[0])), 7, 1); }},
    {"binary_cross_entropy_with_logits", any(),
     [](const Tensors& in) { return binary_cross_entropy_with_logits(in[0], probabilities_of(in[0])); }},
    {"binary_cross_entropy_with_logits: beside another use", any(),
     [](const Tensors& in) { return mul(in[0], binary_cross_entropy_with_logits(in[0], probabilities_of(in[0]))); }},
    {"mse_loss", shapes({{3, 2}, {3, 2}}), [](const Tensors& in) { return mse_loss(in[0], in[1]); }},
    {"mse_loss: of a product and a factor", shapes({{4}, {4}}),
     [](const Tensors& in) { return mse_loss(mul(in[0], in[1]), in[1]); }},
    {"l1_loss", shapes({{3, 2}, {3, 2}}), [](const Tensors& in) { return l1_loss(in[0], affine(in[1], 1, 5)); }},
    {"l1_loss: of a product and a factor", shapes({{4}, {4}}),
     [](const Tensors& in) { return l1_loss(affine(mul(in[0], in[1]), 1, 9), in[1]); }},
    {"huber_loss", shapes({{3, 2}, {3, 2}}), [](const Tensors& in) { return huber_loss(in[0], in[1], 5); }},
    {"huber_loss: far from the targets", shapes({{3, 2}, {3, 2}}),
     [](const Tensors& in) { return huber_loss(in[0], affine(in[1], 1, 6)); }},
    {"huber_loss: of a product and a factor", shapes({{4}, {4}}),
     [](const Tensors& in) { return huber_loss(mul(in[0], in[1]), in[1], 9); }},

    {"layer_norm", norm_inputs, [](const Tensors& in) { return layer_norm(in[0], in[1], in[2]); }},
    {"layer_norm: x of three dimensions", shapes({{2, 2, 4}, {4}, {4}}),
     [](const Tensors& in) { return layer_norm(in[0], in[1], in[2], 1e-3); }},
    {"layer_norm: beside another use", norm_inputs,
     [](const Tensors& in) { return mul(in[0], layer_norm(in[0], in[1], in[2])); }},
    {"batch_norm", norm_inputs, in_training},
    {"batch_norm: beside another use", norm_inputs, [](const Tensors& in) { return mul(in[0], in_training(in)); }},
    {"batch_norm: in evaluation", norm_inputs, with_running, Mode::eval},
    {"batch_norm: one row in evaluation", shapes({{1, 3}, {3}, {3}}), with_running, Mode::eval},
    {"dropout", any(), [](const Tensors& in) { return dropout(in[0], 0.4); }},
    {"dropout: beside another use", any(), [](const Tensors& in) { return mul(in[0], dropout(in[0], 0.4)); }},
    {"dropout: twice", any(), [](const Tensors& in) { return dropout(dropout(square(in[0]), 0.3), 0.2); }},
    {"dropout: in evaluation", any(), [](const Tensors& in) { return dropout(square(in[0]), 0.4); }, Mode::eval},
};
// clang-format on

struct Binary {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&);
};
const std::vector<Binary> arithmetic{
    {"add", add},
    {"sub", sub},
    {"mul", mul},
    {"div", div},
};

}  // namespace

TEST_CASE("every op has the gradient that differences give") {
  for (const GradientRow& row : rows) check_gradients(row);
}

TEST_CASE("arithmetic has the gradient that differences give for every way to broadcast") {
  const std::vector<std::pair<Shape, Shape>> patterns{
      {{}, {}},                      // scalars
      {{3, 4}, {3, 4}},              // the same shape
      {{3, 4}, {}},                  // a scalar
      {{3, 4}, {1}},                 // one element
      {{3, 4}, {4}},                 // a row
      {{3, 4}, {1, 4}},              // a row with its dimension
      {{3, 4}, {3, 1}},              // a column
      {{3, 1}, {1, 4}},              // both stretch
      {{3, 1}, {4}},                 // both stretch, of different rank
      {{2, 3, 4}, {4}},              // of rank 3: the inner one,
      {{2, 3, 4}, {3, 4}},           // the inner two,
      {{2, 3, 4}, {2, 1, 4}},        // the middle stretched,
      {{2, 3, 4}, {1, 3, 1}},        // all but the middle stretched,
      {{2, 3, 4}, {2, 3, 1}},        // the inner stretched
      {{2, 1, 4}, {1, 3, 1}},        // both in turn
      {{2, 3, 2, 2}, {3, 1, 2}},     // of rank 4
      {{2, 3, 2, 2}, {2, 1, 2, 1}},  //
      {{2, 1, 2, 1}, {1, 3, 1, 2}},  //
      {{2, 3, 1, 2}, {2, 1, 2, 1}},  //
      {{1, 1}, {1, 1, 1}},           // ones only
      {{1, 3, 1}, {2, 1, 1}},        // ones at the end
  };
  for (const auto& [op_name, op] : arithmetic)
    for (const auto& [first, second] : patterns)
      for (const bool turned : {false, true}) {
        const Shape& a = turned ? second : first;
        const Shape& b = turned ? first : second;
        check_gradients({.name = concat(op_name, ": ", a, " and ", b),
                         .make = shapes({a, b}),
                         .f = [call = op](const Tensors& in) { return call(in[0], in[1]); }});
      }
}

TEST_CASE("arithmetic adds to a gradient that is there already") {
  for (const auto& [op_name, op] : arithmetic)
    check_gradients({.name = concat(op_name, ": operands with another use"),
                     .make = shapes({{2, 3}, {3}}),
                     .f = [call = op](const Tensors& in) { return mul(call(in[0], in[1]), mul(in[0], in[1])); }});
}
