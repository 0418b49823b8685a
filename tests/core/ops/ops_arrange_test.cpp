#include <doctest/doctest.h>

#include <vector>

#include <handrail/core/ops/ops.h>

#include "support/tensors.h"

using namespace handrail;

TEST_CASE("transpose exchanges rows and columns, and the gradient back") {
  const Tensor x = leaf(Tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  Tape tape;
  const Tensor y = transpose(x);
  CHECK(y.shape() == Shape{3, 2});
  check_values(y, {1, 4, 2, 5, 3, 6});
  tape.backward(sum(y * Tensor({3, 2}, {10, 20, 30, 40, 50, 60})));
  check_values(x.grad(), {10, 30, 50, 20, 40, 60});
  CHECK(transpose(Tensor(Shape{0, 3})).shape() == Shape{3, 0});
}

TEST_CASE("cat joins tensors along any axis") {
  const Tensor a({2, 1}, {1, 2}), b({2, 2}, {3, 4, 5, 6});
  const Tensor columns = cat({a, b, a}, 1);
  CHECK(columns.shape() == Shape{2, 4});
  check_values(columns, {1, 3, 4, 1, 2, 5, 6, 2});
  CHECK(same_bits(cat({a, b, a}, -1), columns));
  const std::vector<Tensor> list{b, b.view({2, 2}), b};
  check_values(cat(list), {3, 4, 5, 6, 3, 4, 5, 6, 3, 4, 5, 6});
  CHECK(cat(list).shape() == Shape{6, 2});
  const Tensor middle = cat({b.view({2, 1, 2}), Tensor::zeros({2, 2, 2})}, 1);
  CHECK(middle.shape() == Shape{2, 3, 2});
  check_values(middle, {3, 4, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0});
}

TEST_CASE("cat takes tensors without elements, and returns one tensor alone itself") {
  const Tensor a({2}, {1, 2});
  check_values(cat({Tensor(Shape{0}), a, Tensor(Shape{0})}), {1, 2});
  CHECK(cat({Tensor(Shape{0, 3}), Tensor(Shape{0, 2})}, 1).shape() == Shape{0, 5});
  CHECK(cat({a}).is_same(a));
}

TEST_CASE("the gradient of cat goes to each part, also when a tensor is joined to itself") {
  const Tensor a = leaf(Tensor({2, 1}, {1, 2})), b = Tensor({2, 1}, {3, 4});
  Tape tape;
  tape.backward(sum(cat({a, b, a}, 1) * Tensor({2, 3}, {1, 2, 3, 4, 5, 6})));
  check_values(a.grad(), {4, 10});
  CHECK_FALSE(b.grad().defined());
}
