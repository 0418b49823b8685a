#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <handrail/core/eigen.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/system/denormals.h>
#include <handrail/core/tape.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// An op of which the backward function is the test's: y = x, of x's shape.
template <class F>
Tensor identity(const Tensor& x, F backward) {
  return Tape::record("identity", {x}, x.clone(), backward);
}

}  // namespace

TEST_CASE("recording with a tensor of a finished tape is refused with its shape and producer") {
  const Tensor a = leaf(Tensor::ones({2, 3}));
  Tensor stale;
  {
    Tape tape;
    stale = square(a);
    tape.backward(sum(stale));
  }
  Tape tape;
  check_throws<TapeError>([&] { return stale * 2.0; }, "affine: an input of shape [2, 3], output of 'square'",
                          "belongs to a tape that no longer exists", "detach() makes it a constant");
  check_throws<TapeError>([&] { return a + stale; }, "add: ", "output of 'square'");
  tape.backward(sum(a * stale.detach()));
  check_values(a.grad(), std::vector<double>(6, 3.0));
}

TEST_CASE("a tensor of a tape that ended without backward is refused as well") {
  const Tensor a = leaf(Tensor::ones({1}));
  Tensor stale;
  {
    const Tape tape;
    stale = exp(a);
  }
  const Tape tape;
  check_throws<TapeError>([&] { return log(stale); }, "log: ", "output of 'exp'", "no longer exists");
}

TEST_CASE("a tensor of another thread's tape is refused") {
  const Tensor a = leaf(Tensor::ones({1})), b = leaf(Tensor::ones({1}));
  const Tape tape;
  const Tensor y = exp(a);
  std::thread([&] {
    const Tape other;
    check_throws<TapeError>([&] { return mul(y, b); }, "mul: ", "output of 'exp'");
  }).join();
}

TEST_CASE("a second backward is refused") {
  const Tensor a = leaf(Tensor::ones({1}));
  Tape tape;
  const Tensor loss = square(a);
  tape.backward(loss);
  check_throws<TapeError>([&] { tape.backward(loss); }, "Tape::backward", "already run backward", "new tape");
  check_values(a.grad(), {2});
}

TEST_CASE("a second backward is refused while the next tape is active, too") {
  const Tensor a = leaf(Tensor::ones({1}));
  Tape first;
  const Tensor loss = square(a);
  first.backward(loss);
  Tape second;
  check_throws<TapeError>([&] { first.backward(loss); }, "already run backward");
  second.backward(square(a));
  check_values(a.grad(), {4});
}

TEST_CASE("another tape on the same thread is refused") {
  const Tape tape;
  check_throws<TapeError>([] { const Tape inner; }, "Tape: another tape is active on this thread");
  CHECK(Tape::active() == &tape);
}

TEST_CASE("a loss that this tape has not computed is refused") {
  const Tensor a = leaf(Tensor::ones({1}));
  Tensor stale;
  {
    const Tape tape;
    stale = square(a);
  }
  Tape tape;
  check_throws<TapeError>([&] { tape.backward(stale); }, "Tape::backward: want a loss computed on this tape",
                          "got one of 'square'");
  check_throws<TapeError>([&] { tape.backward(Tensor::scalar(1)); }, "got one of 'leaf'", "detached?");
  check_throws<TapeError>([&] { tape.backward(a); }, "got one of 'leaf'");
  check_throws<Error>([&] { tape.backward({}); }, "used while undefined");
  tape.backward(square(a));
  check_values(a.grad(), {2});
}

TEST_CASE("a loss of more than one element is refused, and the right one may follow") {
  const Tensor a = leaf(Tensor::ones({2, 1}));
  Tape tape;
  const Tensor y = square(a);
  check_throws<ShapeError>([&] { tape.backward(y); }, "Tape::backward: want a loss of one element; got shape [2, 1]");
  tape.backward(sum(y));
  check_values(a.grad(), {2, 2});
}

TEST_CASE("a saved tensor that was written to is refused, naming shape, producer and versions") {
  const Tensor a = leaf(Tensor({2}, {1, 2}));
  Tape tape;
  const Tensor y = exp(a);
  const Tensor loss = sum(y);
  y.mutable_data()[0] = 0;
  check_throws<TapeError>([&] { tape.backward(loss); }, "backward of 'exp': a tensor saved for backward, shape [2]",
                          "output of 'exp'", "was written to after it was saved", "clone()");
  CHECK_FALSE(a.grad().defined());
}

TEST_CASE("a write to a leaf, also through a view, between forward and backward is noticed") {
  const Tensor a = leaf(Tensor({2}, {1, 2}));
  Tape tape;
  const Tensor loss = sum(square(a));
  a.view({2, 1}).mutable_data()[0] = 5;
  check_throws<TapeError>([&] { tape.backward(loss); }, "backward of 'square'", "output of 'leaf'", "version");
}

TEST_CASE("a write to a tensor that no op has saved is no concern") {
  const Tensor a = leaf(Tensor({2}, {1, 2}));
  Tape tape;
  const Tensor y = a * 3.0;
  const Tensor loss = sum(y);
  y.mutable_data()[0] = 0;
  tape.backward(loss);
  check_values(a.grad(), {3, 3});
}

TEST_CASE("set_requires_grad on an op's output is refused") {
  const Tensor a = leaf(Tensor::ones({2}));
  const Tape tape;
  const Tensor y = square(a);
  check_throws<TapeError>([&] { y.set_requires_grad(true); },
                          "set_requires_grad: the output of 'square', shape [2], is not a leaf", "detach()");
  y.set_requires_grad(false);
  CHECK_FALSE(y.requires_grad());
}

TEST_CASE("an output that is not new is refused") {
  const Tensor a = leaf(Tensor::ones({1}));
  const Tape tape;
  const auto nothing = [](const Backward&) {};
  check_throws<TapeError>([&] { return Tape::record("mine", {a}, a, nothing); },
                          "mine: want a new tensor as output; got one that is a leaf");
  const Tensor y = square(a);
  check_throws<TapeError>([&] { return Tape::record("mine", {a}, y, nothing); },
                          "mine: want a new tensor as output; got one that is the output of another op");
}

TEST_CASE("an input that was not recorded is refused") {
  const Tensor a = leaf(Tensor::ones({1}));
  Tape tape;
  const Tensor y = identity(a, [](const Backward& b) { b[1] += b.output_grad(); });
  check_throws<TapeError>([&] { tape.backward(y); }, "backward of 'identity': want an input in [0, 1); got b[1]");
}

TEST_CASE("the target of a gradient that nobody needs is refused") {
  const Tensor a = leaf(Tensor::ones({2})), constant = Tensor::ones({2});
  for (const bool target : {true, false}) {
    Tape tape;
    const Tensor y = Tape::record("mine", {constant, a}, a.clone(), [target](const Backward& b) {
      if (target)
        b[0].target();
      else
        b[0].shape();
    });
    check_throws<TapeError>([&] { tape.backward(sum(y)); }, "backward of 'mine': want ",
                            target ? "target()" : "shape()", "of an input for which needed() is true");
  }
}

TEST_CASE("a gradient of another size than its input is refused") {
  const Tensor a = leaf(Tensor::ones({2, 3}));
  {
    Tape tape;
    const Tensor y = identity(a, [](const Backward& b) { b[0] += Tensor::ones({5}); });
    check_throws<ShapeError>([&] { tape.backward(sum(y)); }, "backward of 'identity': want a gradient of",
                             "want a gradient of shape [2, 3]; got [5]");
  }
  Tape tape;
  const Tensor y = identity(a, [](const Backward& b) { b[0] += matrix(b.output_grad()).transpose(); });
  check_throws<ShapeError>([&] { tape.backward(sum(y)); }, "want a gradient of 2 x 3", "got 3 x 2");
}

TEST_CASE("a row is no gradient for a column of the same size") {
  const Tensor a = leaf(Tensor::ones({3, 1}));
  Tape tape;
  const Tensor y = identity(a, [](const Backward& b) { b[0] += matrix(b.output_grad()).transpose(); });
  check_throws<ShapeError>([&] { tape.backward(sum(y)); }, "want a gradient of 3 x 1", "got 1 x 3");
}

TEST_CASE("when a backward function throws, leaves have no gradient and a new tape works") {
  const Tensor a = leaf(Tensor({1}, {2})), reached = leaf(Tensor({1}, {3}));
  {
    Tape tape;
    const Tensor y = identity(a, [](const Backward&) { throw std::runtime_error("by intention"); });
    const Tensor loss = y * reached;
    check_throws<std::runtime_error>([&] { tape.backward(loss); }, "by intention");
    CHECK_FALSE(a.grad().defined());
    CHECK_FALSE(reached.grad().defined());
    CHECK(Tape::active() == nullptr);
    CHECK(tape.size() == 0);
    check_throws<TapeError>([&] { tape.backward(loss); }, "already run backward");
  }
  Tape tape;
  tape.backward(a * reached);
  check_values(a.grad(), {3});
  check_values(reached.grad(), {2});
}

TEST_CASE("an op that throws while it is recorded leaves the tape usable") {
  const Tensor a = leaf(Tensor::ones({2, 3}));
  Tape tape;
  check_throws<ShapeError>([&] { return matmul(a, a); }, "matmul");
  CHECK(tape.size() == 0);
  tape.backward(sum(a));
  check_values(a.grad(), std::vector<double>(6, 1.0));
}

TEST_CASE("an exception through the scope of a tape ends it") {
  const Tensor a = leaf(Tensor::ones({2}));
  check_throws<ShapeError>(
      [&] {
        const Tape tape;
        static_cast<void>(square(a) + Tensor::ones({3}));
      },
      "add");
  CHECK(Tape::active() == nullptr);
}

TEST_CASE("a tape may be destroyed by another thread: its own thread can go on, with its floating-point mode") {
  const Tensor a = leaf(Tensor::ones({2}));
  const unsigned long mode = fp_mode::get();
  auto tape = std::make_unique<Tape>();
  const Tensor stale = square(a);
  std::thread([&] {
    const unsigned long own = fp_mode::get();
    tape.reset();
    CHECK(fp_mode::get() == own);
    CHECK(Tape::active() == nullptr);
  }).join();
  CHECK(Tape::active() == nullptr);
  CHECK(fp_mode::get() == mode);
  CHECK_FALSE(Tape::training());
  check_values(square(a), {1, 1});
  Tape next;
  CHECK(Tape::active() == &next);
  check_throws<TapeError>([&] { return stale * 2.0; }, "belongs to a tape that no longer exists");
  next.backward(sum(a * 3.0));
  check_values(a.grad(), {3, 3});
}

TEST_CASE("a tape may be destroyed in InferenceMode, which then has none to return to") {
  const Tensor a = leaf(Tensor::ones({2}));
  const unsigned long mode = fp_mode::get();
  auto tape = std::make_unique<Tape>(Mode::train, RandomPosition{.seed = 1, .position = 1});
  square(a);
  {
    const InferenceMode outer;
    const InferenceMode inner;
    tape.reset();
    CHECK(Tape::active() == nullptr);
    Tape within;  // has the memory of the other one, perhaps its address
    within.backward(sum(a * 2.0));
  }
  CHECK(Tape::active() == nullptr);
  CHECK(fp_mode::get() == mode);
  check_values(a.grad(), {2, 2});
  std::uint32_t call = 0;
  check_throws<TapeError>([&] { Tape::next_random("dropout", call); }, "got no tape");
  const Tape next;
  CHECK(Tape::active() == &next);
}

TEST_CASE("a tape that outlives the thread that made it is none of the concern of the next thread") {
  std::unique_ptr<Tape> tape;
  std::thread([&] { tape = std::make_unique<Tape>(); }).join();
  std::thread([&] {
    const Tape own;
    tape.reset();
    CHECK(Tape::active() == &own);
  }).join();
  CHECK(Tape::active() == nullptr);
}
