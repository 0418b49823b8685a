#include <doctest/doctest.h>

#include <handrail/core/ops/ops.h>
#include <handrail/train/run/loss.h>

using namespace handrail;
using train::Loss, train::Task;

namespace {

Tensor smoothed(const Tensor& logits, const Tensor& targets) { return 0.9 * cross_entropy(logits, targets); }

}  // namespace

TEST_CASE("a loss is made of a function, of its address or of a lambda, with a task or without") {
  const auto lambda = [](const Tensor& logits, const Tensor& targets) { return smoothed(logits, targets); };
  for (const Loss& loss : {Loss{smoothed}, Loss{&smoothed}, Loss{lambda}}) {
    CHECK(loss.task() == Task::regression);
    CHECK_FALSE(loss.plain());
  }
  const Tensor logits({1, 2}, {1, 2}), targets({1}, {1});
  for (const Loss& loss :
       {Loss{smoothed, Task::multiclass}, Loss{&smoothed, Task::multiclass}, Loss{lambda, Task::multiclass}}) {
    CHECK(loss.task() == Task::multiclass);
    CHECK_FALSE(loss.plain());
    CHECK(loss(logits, targets).item() == smoothed(logits, targets).item());
  }
}

TEST_CASE("l1_loss and huber_loss are losses for regression by their names") {
  const Tensor predictions({1, 1}, {3}), targets({1, 1}, {0});
  for (const Loss& loss : {Loss{l1_loss}, Loss{huber_loss}}) {
    CHECK(loss.task() == Task::regression);
    CHECK_FALSE(loss.plain());
  }
  CHECK(Loss{l1_loss}(predictions, targets).item() == 3);
  CHECK(Loss{huber_loss}(predictions, targets).item() == 2.5);
}

TEST_CASE("a loss of the library is plain for its own task only") {
  CHECK(Loss{cross_entropy}.plain());
  CHECK(Loss{cross_entropy, Task::multiclass}.plain());
  CHECK(Loss{mse_loss, Task::regression}.plain());
  CHECK_FALSE(Loss{mse_loss, Task::binary}.plain());
  CHECK(Loss{mse_loss, Task::binary}.task() == Task::binary);
}

TEST_CASE("the losses of a regression are distances") {
  for (const Loss& loss : {Loss{mse_loss}, Loss{l1_loss}, Loss{huber_loss}}) CHECK(loss.is_distance());
  CHECK_FALSE(Loss{cross_entropy}.is_distance());
  CHECK_FALSE(Loss{mse_loss, Task::binary}.is_distance());
  CHECK_FALSE(Loss{[](const Tensor& y, const Tensor& t) { return mse_loss(y, t); }}.is_distance());
}
