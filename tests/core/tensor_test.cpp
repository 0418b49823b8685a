#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/tensor.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("a tensor holds the values it is made from") {
  const Tensor list({2, 3}, {1, 2, 3, 4, 5, 6});
  check_values(list, {1, 2, 3, 4, 5, 6});
  CHECK(list.shape() == Shape{2, 3});
  CHECK(list.op() == std::string("leaf"));
  const std::vector<Scalar> values{7, 8};
  check_values(Tensor(Shape{2}, values), {7, 8});
  check_values(Tensor::full({3}, Scalar(0.5)), {0.5, 0.5, 0.5});
  check_values(Tensor::zeros({2}), {0, 0});
  check_values(Tensor::ones({1, 2}), {1, 1});
  CHECK(Tensor::scalar(3).shape() == Shape{});
  CHECK(Tensor::zeros({0, 4}).size() == 0);
}

TEST_CASE("elements are aligned to 64 bytes") {
  for (const Index size : {1, 3, 100, 5000})
    CHECK(reinterpret_cast<std::uintptr_t>(Tensor(Shape{size}).data()) % 64 == 0);
}

TEST_CASE("as many values as the shape has elements are wanted") {
  check_throws<ShapeError>([] { return Tensor({2, 2}, {1, 2, 3}); }, "Tensor: want 4 values for shape [2, 2]", "got 3");
}

TEST_CASE("copies of a handle share elements and clones do not") {
  const Tensor a({2}, {1, 2});
  const Tensor shared = a, copy = a.clone();
  CHECK(shared.is_same(a));
  CHECK_FALSE(copy.is_same(a));
  a.mutable_data()[0] = 9;
  check_values(shared, {9, 2});
  check_values(copy, {1, 2});
}

TEST_CASE("a moved-from tensor is undefined") {
  Tensor a({1}, {4});
  const Tensor b = std::move(a);
  CHECK_FALSE(a.defined());  // NOLINT(bugprone-use-after-move): that is what is tested
  CHECK(b.item() == 4);
  a = b;
  CHECK(a.is_same(b));
}

TEST_CASE("an undefined tensor can be asked whether it is defined and nothing else") {
  const Tensor none;
  CHECK_FALSE(none.defined());
  const auto undefined = "Tensor: used while undefined";
  check_throws<Error>([&] { return none.shape(); }, undefined);
  check_throws<Error>([&] { return none.data(); }, undefined);
  check_throws<Error>([&] { return none.item(); }, undefined);
  check_throws<Error>([&] { return none.clone(); }, undefined);
  check_throws<Error>([&] { return none.grad(); }, undefined);
  check_throws<Error>([&] { none.set_requires_grad(true); }, undefined);
}

TEST_CASE("a view shares the elements in another shape") {
  const Tensor a({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor v = a.view({3, 2});
  CHECK(v.data() == a.data());
  CHECK(v.at({2, 0}) == 5);
  v.mutable_data()[4] = 50;
  CHECK(a.at({1, 1}) == 50);
  check_throws<ShapeError>([&] { return a.view({4}); }, "want 6 elements as in [2, 3]", "got shape [4]");
}

TEST_CASE("a view keeps the elements alive, also through another view") {
  Tensor v;
  {
    const Tensor a({4}, {1, 2, 3, 4});
    v = a.view({2, 2}).view({4, 1});
  }
  check_values(v, {1, 2, 3, 4});
}

TEST_CASE("at reads one element and counts negative indices from the end") {
  const Tensor a({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(a.at({0, 0}) == 1);
  CHECK(a.at({1, -1}) == 6);
  CHECK(a.at({-2, 1}) == 2);
  CHECK(Tensor::scalar(5).at({}) == 5);
  check_throws<ShapeError>([&] { return a.at({2, 0}); }, "index 2 is outside axis 0 of shape [2, 3]");
  check_throws<ShapeError>([&] { return a.at({0, -4}); }, "index -4 is outside axis 1");
  check_throws<ShapeError>([&] { return a.at({1}); }, "want 2 indices for shape [2, 3]", "got 1");
}

TEST_CASE("item is the only element, whatever the rank") {
  CHECK(Tensor::scalar(2).item() == 2);
  CHECK(Tensor({1, 1}, {3}).item() == 3);
  check_throws<ShapeError>([] { return Tensor({2}, {1, 2}).item(); }, "want one element", "[2]");
  check_throws<ShapeError>([] { return Tensor(Shape{0}).item(); }, "want one element", "[0]");
}

TEST_CASE("the version counts writes, and a view counts in its base") {
  const Tensor a = Tensor::zeros({2});
  const auto start = a.version();
  static_cast<void>(a.data());
  static_cast<void>(a.span());
  CHECK(a.version() == start);
  a.mutable_data()[0] = 1;
  CHECK(a.version() == start + 1);
  const Tensor v = a.view({2, 1});
  v.mutable_span()[1] = 1;
  CHECK(a.version() == start + 2);
  CHECK(v.version() == start + 2);
  a.detach().mutable_data()[0] = 2;
  CHECK(a.version() == start + 3);
  a.clone().mutable_data()[0] = 3;
  CHECK(a.version() == start + 3);
}

TEST_CASE("a leaf has no gradient before a backward") {
  const Tensor a = leaf(Tensor::ones({2}));
  CHECK(a.requires_grad());
  CHECK_FALSE(a.grad().defined());
  CHECK_FALSE(a.detach().requires_grad());
  CHECK_FALSE(a.clone().requires_grad());
  a.set_requires_grad(false);
  CHECK_FALSE(a.requires_grad());
}

TEST_CASE("the elements of a temporary tensor stay as long as their span") {
  // The pool gives the memory of a tensor that is gone to the next one of its size.
  for (const Scalar element : Tensor::full({100}, 3).span()) {
    const Tensor next = Tensor::full({100}, 7);
    CHECK(element == 3);
  }
  const auto kept = Tensor::full({100}, 3).span();
  const Tensor next = Tensor::full({100}, 7);
  CHECK(kept[99] == 3);
  const auto sum = [](std::span<const Scalar> values) { return std::accumulate(values.begin(), values.end(), 0.0); };
  CHECK(sum(Tensor::full({100}, 3).span()) == 300);
  CHECK(std::ranges::equal(Tensor::ones({3}).span(), Tensor::ones({3}).span()));
}

TEST_CASE("elements without values are NaN in a build with assertions") {
#ifndef NDEBUG
  // Memory that has held numbers before, so that the NaN is no accident.
  { const Tensor used = Tensor::ones({100}); }
  for (const Scalar element : Tensor(Shape{100}).span()) CHECK(std::isnan(element));
#else
  // In release nothing is written: the numbers of the last tensor of this size are still there.
  const Scalar* before = nullptr;
  {
    const Tensor used = Tensor::full({100}, 3);
    before = used.data();
  }
  const Tensor next(Shape{100});
  REQUIRE(next.data() == before);
  CHECK(next.data()[50] == 3);
#endif
}
