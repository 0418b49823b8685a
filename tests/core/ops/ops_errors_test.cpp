#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

Tensor of(std::initializer_list<Index> dims) { return Tensor::ones(Shape(dims)); }

}  // namespace

TEST_CASE("arithmetic of shapes that do not broadcast names the op and both shapes") {
  const auto refused = [](Tensor (*op)(const Tensor&, const Tensor&), const char* name) {
    check_throws<ShapeError>(
        [&] {
          return op(of({2, 3}), of({4}));
        },
        std::string(name) + ": want shapes that broadcast", "got [2, 3] and [4]");
    check_throws<ShapeError>([&] { return op(of({3, 1, 2}), of({2, 2, 2})); }, "got [3, 1, 2] and [2, 2, 2]");
    check_throws<ShapeError>([&] { return op(of({0, 2}), of({3, 2})); }, "got [0, 2] and [3, 2]");
  };
  refused(add, "add");
  refused(sub, "sub");
  refused(mul, "mul");
  refused(div, "div");
}

TEST_CASE("products of shapes that do not fit name the op and all shapes") {
  check_throws<ShapeError>(
      [] {
        return matmul(of({2, 3}), of({2, 3}));
      },
      "matmul: want a [N, K], b [K, M]; got a [2, 3], b [2, 3]");
  check_throws<ShapeError>([] { return matmul(of({3}), of({3, 2})); }, "got a [3], b [3, 2]");
  check_throws<ShapeError>([] { return matmul(of({2, 3}), of({1, 3, 2})); }, "b [1, 3, 2]");
  check_throws<ShapeError>(
      [] {
        return linear(of({5, 4}), of({3}));
      },
      "linear: want x [N, in], weight [in, out]; got x [5, 4], weight [3]");
  check_throws<ShapeError>([] { return linear(of({5, 4}), of({3, 2})); }, "got x [5, 4], weight [3, 2]");
  check_throws<ShapeError>(
      [] {
        return linear(of({5, 4}), of({4, 2}), of({3}));
      },
      "linear: want x [N, in], weight [in, out], bias [out]; got x [5, 4], weight [4, 2], bias [3]");
  check_throws<ShapeError>([] { return linear(of({}), of({1, 2})); }, "got x [], weight [1, 2]");
}

TEST_CASE("reductions over an axis that is not there name the shape") {
  check_throws<ShapeError>([] { return sum(of({2, 3}), 2); }, "want an axis in [-2, 2); got 2 for shape [2, 3]");
  check_throws<ShapeError>([] { return mean(of({2, 3}), -3); }, "got -3 for shape [2, 3]");
  check_throws<ShapeError>([] { return mean(of({0})); }, "mean: want at least one element; got shape [0]");
  check_throws<ShapeError>(
      [] {
        return mean(of({2, 0}), 1);
      },
      "mean: want at least one element on the axis; got shape [2, 0]");
}

TEST_CASE("a reshape to another size names both shapes") {
  check_throws<ShapeError>(
      [] {
        return reshape(of({2, 3}), {4});
      },
      "reshape: want 6 elements as in [2, 3]; got shape [4]");
}

TEST_CASE("transpose and cat of shapes that do not fit name them") {
  check_throws<ShapeError>([] { return transpose(of({2, 3, 4})); }, "transpose: want x [N, M]; got shape [2, 3, 4]");
  check_throws<ShapeError>([] { return cat({}); }, "cat: want at least one tensor; got none");
  check_throws<ShapeError>(
      [] {
        return cat({of({2, 3}), of({2, 2}), of({3, 2})}, -1);
      },
      "cat: want shapes that are equal but for axis 1; got [2, 3] and [3, 2]");
  check_throws<ShapeError>([] { return cat({of({2}), of({2, 1})}); }, "got [2] and [2, 1]");
  check_throws<ShapeError>([] { return cat({of({2}), of({2})}, 1); }, "want an axis in [-1, 1); got 1 for shape [2]");
}

TEST_CASE("smooth_clip wants a constant for each column") {
  check_throws<ShapeError>(
      [] {
        return smooth_clip(of({2, 3}), of({2}));
      },
      "smooth_clip: want x [..., D] and bend [D]; got x [2, 3], bend [2]");
  check_throws<OptionError>([] { return smooth_clip(of({2, 3}), leaf(of({3}))); }, "want a bend that is a constant");
}

TEST_CASE("limits and a delta that make no sense are refused") {
  check_throws<OptionError>([] { return clamp(of({2}), 2, 1); }, "clamp: want low <= high; got 2 and 1");
  check_throws<OptionError>([] { return clamp(of({2}), 0, std::nan("")); }, "clamp: want low <= high; got 0 and nan");
  check_throws<OptionError>([] { return huber_loss(of({2}), of({2}), 0); }, "huber_loss: want delta > 0; got 0");
}

TEST_CASE("softmax over nothing is refused") {
  check_throws<ShapeError>(
      [] {
        return softmax(of({2, 0}));
      },
      "softmax: want a last dimension of at least one class; got shape [2, 0]");
  check_throws<ShapeError>([] { return log_softmax(of({})); },
                           "log_softmax: want a last dimension of at least one class; got shape []");
  check_throws<ShapeError>(
      [] {
        return logsumexp(of({0, 0}));
      },
      "logsumexp: want a last dimension of at least one class; got shape [0, 0]");
}

TEST_CASE("losses of shapes that do not fit name them") {
  check_throws<ShapeError>(
      [] {
        return cross_entropy(of({4, 3}), of({3}));
      },
      "cross_entropy: want logits [N, C], targets [N], N > 0; got logits [4, 3], targets [3]");
  check_throws<ShapeError>(
      [] {
        return cross_entropy(of({4, 3}), of({4, 1}));
      },
      "targets [4, 1]; reshape() the targets");
  check_throws<ShapeError>([] { return cross_entropy(of({4}), of({4})); }, "got logits [4], targets [4]");
  check_throws<ShapeError>([] { return cross_entropy(of({4, 3}), of({4, 1})); }, "targets [4, 1]");
  check_throws<ShapeError>([] { return cross_entropy(of({0, 3}), of({0})); }, "got logits [0, 3]");
  check_throws<ShapeError>(
      [] {
        return binary_cross_entropy_with_logits(of({4}), of({4, 1}));
      },
      "binary_cross_entropy_with_logits: want logits and targets of the same shape", "got [4] and [4, 1]");
  check_throws<ShapeError>([] { return binary_cross_entropy_with_logits(of({0}), of({0})); }, "not empty", "[0]");
  check_throws<ShapeError>([] { return mse_loss(of({0, 2}), of({0, 2})); }, "not empty", "[0, 2]");
  check_throws<ShapeError>(
      [] {
        return l1_loss(of({5}), of({5, 1}));
      },
      "l1_loss: want predictions and targets of the same shape, not empty; got [5] and [5, 1]");
  check_throws<ShapeError>([] { return huber_loss(of({0}), of({0})); },
                           "huber_loss: want predictions and targets of the same shape, not empty; got [0] and [0]");
}

TEST_CASE("mse_loss of a column against a vector is refused rather than broadcast") {
  check_throws<ShapeError>(
      [] {
        return mse_loss(of({5}), of({5, 1}));
      },
      "mse_loss: want predictions and targets of the same shape, not empty; got [5] and [5, 1]",
      "reshape() one of them");
  check_throws<ShapeError>([] { return mse_loss(of({5, 1}), of({5})); }, "got [5, 1] and [5]");
}

TEST_CASE("normalisations of shapes that do not fit name them") {
  check_throws<ShapeError>(
      [] {
        return layer_norm(of({4, 3}), of({4}), of({3}));
      },
      "layer_norm: want x [N, D], gain [D], shift [D]; got x [4, 3], gain [4], shift [3]");
  check_throws<ShapeError>([] { return layer_norm(of({}), of({1}), of({1})); }, "got x []");
  check_throws<ShapeError>(
      [] {
        return batch_norm(of({4, 3}), of({3}), of({1}), {of({3}), of({3})});
      },
      "batch_norm: want x [N, D], gain [D], shift [D]; got x [4, 3], gain [3], shift [1]");
  check_throws<ShapeError>(
      [] {
        return batch_norm(of({4, 3}), of({3}), of({3}), {of({2}), of({3})});
      },
      "batch_norm: want running mean and variance [3]; got [2] and [3]");
}

TEST_CASE("functions of an undefined tensor say so") {
  using Unary = Tensor (*)(const Tensor&);
  for (const Unary op :
       {Unary{exp}, Unary{log}, Unary{sqrt}, Unary{square}, Unary{abs}, Unary{relu}, Unary{tanh}, Unary{sigmoid},
        Unary{gelu}, Unary{softplus}, Unary{softmax}, Unary{logsumexp}, Unary{transpose}, Unary{sum}, Unary{mean}})
    check_throws<Error>([&] { return op({}); }, "Tensor: used while undefined");
  check_throws<Error>([] { return affine({}, 1, 0); }, "Tensor: used while undefined");
  check_throws<Error>([] { return of({1}) + Tensor(); }, "Tensor: used while undefined");
}
