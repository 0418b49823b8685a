#include <doctest/doctest.h>
#include <pthread.h>

#include <exception>
#include <string>
#include <thread>

#include <handrail/core/eigen.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/tape.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("backward gives every leaf it reaches its gradient") {
  const Tensor a = leaf(Tensor({2}, {1, 2})), b = leaf(Tensor({2}, {3, 5}));
  Tape tape;
  const Tensor loss = sum(a * b + a);
  CHECK(tape.size() == 3);
  tape.backward(loss);
  check_values(a.grad(), {4, 6});
  check_values(b.grad(), {1, 2});
  CHECK(loss.item() == 16);
}

TEST_CASE("ops without a tape record nothing") {
  const Tensor a = leaf(Tensor::ones({2}));
  CHECK(Tape::active() == nullptr);
  CHECK_FALSE(Tape::training());
  const Tensor y = a * 2.0;
  CHECK(y.op() == std::string("leaf"));
  CHECK_FALSE(a.grad().defined());
  // So it can become a leaf, which a recorded output cannot.
  y.set_requires_grad(true);
  CHECK(y.requires_grad());
}

TEST_CASE("ops on constants record nothing") {
  const Tensor a = Tensor::ones({2});
  const Tape tape;
  CHECK((a * 2.0).op() == std::string("leaf"));
  CHECK(tape.size() == 0);
  const Tensor b = leaf(a.clone());
  CHECK((b * 2.0).op() == std::string("affine"));
  CHECK(tape.size() == 1);
}

TEST_CASE("a tape is active from its construction to its end and says the mode") {
  {
    const Tape tape;
    CHECK(Tape::active() == &tape);
    CHECK(Tape::training());
  }
  CHECK(Tape::active() == nullptr);
  const Tape tape{Mode::eval};
  CHECK(Tape::active() == &tape);
  CHECK_FALSE(Tape::training());
}

TEST_CASE("backward ends the activity of a tape, so that the next one may follow in the same scope") {
  const Tensor a = leaf(Tensor::ones({1}));
  Tape first;
  first.backward(square(a));
  CHECK(Tape::active() == nullptr);
  CHECK(first.size() == 0);
  Tape second;
  second.backward(square(a));
  check_values(a.grad(), {4});
}

TEST_CASE("a tape in evaluation mode differentiates") {
  const Tensor a = leaf(Tensor({1}, {3}));
  Tape tape{Mode::eval};
  tape.backward(square(a));
  check_values(a.grad(), {6});
}

TEST_CASE("NoGrad suspends recording and leaves the mode as it is") {
  const Tensor a = leaf(Tensor::ones({2}));
  Tape tape;
  Tensor constant;
  {
    const NoGrad off;
    {
      const NoGrad inner;
      constant = a * 3.0;
    }
    // The end of the inner one must not resume recording.
    CHECK((a * 2.0).op() == std::string("leaf"));
    CHECK(Tape::training());
  }
  CHECK(tape.size() == 0);
  tape.backward(sum(a * constant));
  check_values(a.grad(), {3, 3});
}

TEST_CASE("NoGrad without a tape does nothing") {
  const Tensor a = leaf(Tensor::ones({1}));
  const NoGrad off;
  Tape tape;
  tape.backward(square(a));
  check_values(a.grad(), {2});
}

TEST_CASE("InferenceMode hides the tape: nothing is recorded and the mode is evaluation") {
  const Tensor a = leaf(Tensor({1}, {3}));
  Tape tape;
  const Tensor y = square(a);
  {
    const InferenceMode inference;
    CHECK(Tape::active() == nullptr);
    CHECK_FALSE(Tape::training());
    CHECK(square(y).item() == 81);
    // So a tape of its own may run in there.
    const Tensor b = leaf(Tensor({1}, {2}));
    Tape inner;
    inner.backward(square(b));
    check_values(b.grad(), {4});
  }
  CHECK(Tape::active() == &tape);
  CHECK(Tape::training());
  CHECK(tape.size() == 1);
  tape.backward(square(y));
  check_values(a.grad(), {4 * 27});
}

TEST_CASE("a detached tensor is a constant with the same elements") {
  const Tensor a = leaf(Tensor({2}, {2, 3}));
  Tape tape;
  const Tensor y = square(a);
  const Tensor d = y.detach();
  CHECK(d.data() == y.data());
  tape.backward(sum(y * d));
  check_values(a.grad(), {16, 54});  // 2 a * d, and nothing through d
}

TEST_CASE("gradients of two tapes add up until zero_grad") {
  const Tensor a = leaf(Tensor({2}, {1, 2}));
  for (int step = 0; step < 2; ++step) {
    Tape tape;
    tape.backward(sum(square(a)));
  }
  check_values(a.grad(), {4, 8});
  a.zero_grad();
  CHECK_FALSE(a.grad().defined());
  Tape tape;
  tape.backward(sum(square(a)));
  check_values(a.grad(), {2, 4});
}

TEST_CASE("an input used twice gets both gradients") {
  const Tensor a = leaf(Tensor({2}, {3, 4}));
  Tape tape;
  tape.backward(sum(a * a + a / a));
  check_values(a.grad(), {6, 8});
}

TEST_CASE("an output used twice passes on the sum") {
  const Tensor a = leaf(Tensor({1}, {2}));
  Tape tape;
  const Tensor y = square(a);
  tape.backward(y * y + y);
  check_values(a.grad(), {4 * 8 + 4});
}

TEST_CASE("a leaf that the loss does not depend on has no gradient") {
  const Tensor a = leaf(Tensor::ones({1})), on_tape = leaf(Tensor::ones({1})), unused = leaf(Tensor::ones({1}));
  Tape tape;
  const Tensor loss = square(a);
  const Tensor side = square(on_tape);
  tape.backward(loss);
  CHECK(a.grad().defined());
  CHECK_FALSE(on_tape.grad().defined());
  CHECK_FALSE(unused.grad().defined());
}

TEST_CASE("ops recorded after the loss do not take part") {
  const Tensor a = leaf(Tensor({1}, {3}));
  Tape tape;
  const Tensor loss = square(a);
  const Tensor later = square(loss);
  tape.backward(loss);
  check_values(a.grad(), {6});
}

TEST_CASE("a gradient handle that is kept is not overwritten by the next backward") {
  const Tensor a = leaf(Tensor({2}, {1, 2}));
  {
    Tape tape;
    tape.backward(sum(square(a)));
  }
  const Tensor kept = a.grad();
  a.zero_grad();
  {
    Tape tape;
    tape.backward(sum(a * 7.0));
  }
  check_values(kept, {2, 4});
  check_values(a.grad(), {7, 7});
}

TEST_CASE("a gradient's memory is used again when nobody holds it") {
  const Tensor a = leaf(Tensor::ones({300}));
  const auto backward = [&] {
    a.zero_grad();
    Tape tape;
    tape.backward(sum(square(a)));
    return a.grad().data();
  };
  const Scalar* first = backward();
  CHECK(backward() == first);
}

TEST_CASE("reading a tensor of a finished tape never throws") {
  const Tensor a = leaf(Tensor({2}, {1, 2}));
  Tensor y, z;
  {
    Tape tape;
    y = square(a);
    z = y.view({2, 1});
    tape.backward(sum(y));
  }
  check_values(y, {1, 4});
  CHECK(z.at({1, 0}) == 4);
  CHECK(sum(y).item() == 5);
  check_values(y.clone(), {1, 4});
}

TEST_CASE("a new value of a leaf shows in the next step") {
  const Tensor a = leaf(Tensor({1}, {2}));
  for (const Scalar value : {Scalar(2), Scalar(5)}) {
    a.mutable_data()[0] = value;
    a.zero_grad();
    Tape tape;
    tape.backward(square(a));
    check_values(a.grad(), {2 * static_cast<double>(value)});
  }
}

namespace {

// A few steps on a leaf of the calling thread's own.
double descend(double start) {
  const Tensor w = leaf(Tensor::scalar(static_cast<Scalar>(start)));
  for (int step = 0; step < 300; ++step) {
    w.zero_grad();
    Tape tape;
    tape.backward(square(w - 3.0));
    w.mutable_data()[0] -= Scalar(0.05) * w.grad().item();
  }
  return static_cast<double>(w.item());
}

}  // namespace

TEST_CASE("two threads record on a tape each") {
  double left = 0, right = 0;
  std::thread first([&] { left = descend(-4); }), second([&] { right = descend(11); });
  first.join();
  second.join();
  CHECK(left == descend(-4));
  CHECK(right == descend(11));
  CHECK(left == doctest::Approx(3));
}

namespace {

struct Chain {
  double gradient = 0;
  std::size_t size = 0;
  std::exception_ptr error;
};

void* run_chain(void* out) {
  auto& chain = *static_cast<Chain*>(out);
  try {
    const Tensor a = leaf(Tensor::scalar(1));
    Tape tape;
    Tensor y = a;
    // relu keeps its output, so that every link holds on to the one before.
    for (int i = 0; i < 250'000; ++i) y = relu(y + 1.0);
    chain.size = tape.size();
    tape.backward(y);
    chain.gradient = static_cast<double>(a.grad().item());
    // And one that ends without a backward.
    const Tape unused{Mode::eval};
    y = a;
    for (int i = 0; i < 100'000; ++i) y = relu(y);
  } catch (...) {
    chain.error = std::current_exception();
  }
  return nullptr;
}

}  // namespace

TEST_CASE("a chain of 500,000 ops differentiates and ends on a stack of 256 KiB") {
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, std::size_t{256} << 10) == 0);
  pthread_t thread;
  Chain chain;
  REQUIRE(pthread_create(&thread, &attributes, run_chain, &chain) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (chain.error) std::rethrow_exception(chain.error);
  CHECK(chain.size == 500'000);
  CHECK(chain.gradient == 1);
}
