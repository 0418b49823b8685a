#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <handrail/core/first_non_finite.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/tape.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// Writes down what it is told.
struct Log : TapeObserver {
  struct Event {
    std::string op;
    Index node;
    std::vector<Tensor> inputs;  // their gradients in backward
    Tensor output;               // its gradient in backward
    std::vector<Tensor> leaves;  // of inputs in backward
  };
  std::vector<Event> forwards, backwards;

  void forward(const char* op, Index node, std::span<const Input> inputs, const Tensor& output) override {
    forwards.push_back({op, node, {}, output, {}});
    for (const Input& input : inputs) forwards.back().inputs.push_back(input.tensor());
  }
  void backward(const char* op, Index node, const Tensor& output_grad, std::span<const InputGrad> inputs) override {
    backwards.push_back({op, node, {}, output_grad, {}});
    for (const InputGrad& input : inputs) {
      backwards.back().inputs.push_back(input.grad);
      backwards.back().leaves.push_back(input.leaf);
    }
  }
};

const Scalar infinity = std::numeric_limits<Scalar>::infinity();
const Scalar not_a_number = std::numeric_limits<Scalar>::quiet_NaN();

using Source = FirstNonFinite::Source;

// What a finder says of the step that computes a loss.
template <class Loss>
std::optional<FirstNonFinite::Origin> origin_of(Loss&& loss) {
  FirstNonFinite finder;
  Tape tape;
  tape.observe(&finder);
  tape.backward(loss());
  return finder.origin();
}

}  // namespace

TEST_CASE("an observer sees every op in order, with its inputs, its output and its node") {
  const Tensor x({2}, {1, 2}), w = leaf(Tensor({2}, {3, 5}));
  Log log;
  Tape tape;
  tape.observe(&log);
  const Tensor doubled = x * 2.0;  // of constants alone: not recorded
  const Tensor product = doubled * w;
  const Tensor loss = sum(product);
  REQUIRE(log.forwards.size() == 3);
  CHECK(log.forwards[0].op == "affine");
  CHECK(log.forwards[0].node == -1);
  CHECK(log.forwards[0].inputs[0].is_same(x));
  CHECK(log.forwards[1].op == "mul");
  CHECK(log.forwards[1].node == 0);
  CHECK(log.forwards[1].inputs[0].is_same(doubled));
  CHECK(log.forwards[1].inputs[1].is_same(w));
  CHECK(log.forwards[1].inputs[1].requires_grad());
  CHECK(log.forwards[1].output.is_same(product));
  CHECK(log.forwards[2].op == "sum");
  CHECK(log.forwards[2].node == 1);
  CHECK(log.forwards[2].output.is_same(loss));
  CHECK(tape.size() == 2);
  CHECK(log.backwards.empty());
}

TEST_CASE("an observer sees the backward pass from the last op to the first, with the gradients so far") {
  const Tensor a = leaf(Tensor({2}, {3, 4})), b = leaf(Tensor({2}, {5, 7}));
  Log log;
  Tape tape;
  tape.observe(&log);
  const Tensor y = a * b;
  const Tensor loss = sum(y + a);
  tape.backward(loss);
  REQUIRE(log.backwards.size() == 3);
  CHECK(log.backwards[0].op == "sum");
  CHECK(log.backwards[0].node == 2);
  check_values(log.backwards[0].output, {1});
  REQUIRE(log.backwards[0].inputs.size() == 1);
  CHECK_FALSE(log.backwards[0].leaves[0].defined());
  CHECK(log.backwards[1].op == "add");
  REQUIRE(log.backwards[1].inputs.size() == 2);
  CHECK(log.backwards[1].leaves[1].is_same(a));
  CHECK(log.backwards[2].op == "mul");
  CHECK(log.backwards[2].node == 0);
  REQUIRE(log.backwards[2].inputs.size() == 2);
  CHECK(log.backwards[2].leaves[0].is_same(a));
  check_values(log.backwards[2].inputs[0], {6, 8});  // of the sum and of the product
  check_values(log.backwards[2].inputs[1], {3, 4});
}

TEST_CASE("an observer hears nothing of inputs that need no gradient, of ops off the tape and after it is taken off") {
  const Tensor x({1}, {2}), w = leaf(Tensor({1}, {3}));
  Log log;
  Tape tape;
  tape.observe(&log);
  {
    const NoGrad off;
    static_cast<void>(square(w));
  }
  {
    const InferenceMode inference;
    static_cast<void>(square(w));
  }
  CHECK(log.forwards.empty());
  const Tensor y = x * w;
  tape.observe(nullptr);
  const Tensor loss = square(y);
  CHECK(log.forwards.size() == 1);
  tape.observe(&log);
  tape.backward(loss);
  REQUIRE(log.backwards.size() == 2);
  REQUIRE(log.backwards[1].inputs.size() == 1);
  CHECK(log.backwards[1].leaves[0].is_same(w));
  check_values(w.grad(), {24});
}

TEST_CASE("the next tape of the thread begins with an observer, and keeps it") {
  const Tensor x = leaf(Tensor::ones({2}));
  auto log = std::make_shared<Log>();
  const std::weak_ptr<Log> alive = log;
  Tape::observe_next(log);
  {
    Tape tape;
    log.reset();
    REQUIRE_FALSE(alive.expired());
    const Tensor y = sum(x * 2);
    CHECK(alive.lock()->forwards.size() == 2);
    tape.backward(y);
  }
  CHECK(alive.expired());
  log = std::make_shared<Log>();
  Tape::observe_next(std::make_shared<Log>());  // which ends before the tape begins
  { const Tape tape; }
  Tape::observe_next(log);
  Tape::observe_next(nullptr);
  const Tape tape;
  sum(x);
  CHECK(log->forwards.empty());
}

TEST_CASE("an observed step has the bits of one that is not") {
  const Tensor a = leaf(Tensor({2}, {3, 4})), b = leaf(a.clone());
  const auto differentiate = [](const Tensor& t, TapeObserver* observer) {
    Tape tape;
    tape.observe(observer);
    tape.backward(sum(exp(t * 0.3) * t));
  };
  FirstNonFinite finder;
  differentiate(a, &finder);
  differentiate(b, nullptr);
  CHECK(same_bits(a.grad(), b.grad()));
}

TEST_CASE("an observer may throw: the leaves have no gradient then") {
  struct Refuses : TapeObserver {
    void forward(const char*, Index, std::span<const Input>, const Tensor&) override {}
    void backward(const char* op, Index, const Tensor&, std::span<const InputGrad>) override {
      if (op == std::string("square")) throw std::runtime_error("by intention");
    }
  } refuses;
  const Tensor a = leaf(Tensor({1}, {2}));
  Tape tape;
  tape.observe(&refuses);
  const Tensor loss = square(a) + a;
  check_throws<std::runtime_error>([&] { tape.backward(loss); }, "by intention");
  CHECK_FALSE(a.grad().defined());
  CHECK(Tape::active() == nullptr);
}

TEST_CASE("a gradient's count of writes only grows, also when its memory is replaced") {
  const Tensor a = leaf(Tensor({2}, {1, 2}));
  CHECK(Tape::leaf_grad(a).data == nullptr);
  const auto differentiate = [&] {
    a.zero_grad();
    Tape tape;
    tape.backward(sum(square(a)));
  };
  differentiate();
  const LeafGrad first = Tape::leaf_grad(a);
  CHECK(first.data == a.grad().data());
  const Tensor held = a.grad();
  differentiate();
  const LeafGrad second = Tape::leaf_grad(a);
  CHECK(second.data != first.data);
  CHECK(second.version > first.version);
  a.grad().mutable_data()[0] = 1;
  CHECK(Tape::leaf_grad(a).version > second.version);
  a.set_requires_grad(false);
  CHECK(Tape::leaf_grad(a).data == nullptr);
}

TEST_CASE("the first value that is not finite is traced to its op, element and layer") {
  const Tensor x({2, 2}, {1, 2, 3, 4}), first = leaf(Tensor({2, 2}, {1, 0, 0, 1})),
                                        second = leaf(Tensor({2, 2}, {100, 0, 0, 1}));
  Tensor hidden;
  const auto origin = origin_of([&] {
    hidden = relu(matmul(x, first));
    return sum(square(log(exp(matmul(hidden, second)))));
  });
  REQUIRE(origin);
  CHECK(origin->source == Source::forward);
  CHECK(origin->op == "exp");
  CHECK(origin->position == 3);
  CHECK(origin->shape == Shape{2, 2});
  CHECK(origin->element == 0);
  CHECK(origin->value == infinity);
  REQUIRE(origin->leaves.size() == 1);
  CHECK(origin->leaves[0].is_same(second));
}

TEST_CASE("an op that makes a gradient that is not finite out of a finite one is traced") {
  const Tensor x({2, 1}, {1, 2}), weight = leaf(Tensor({1, 2}, {1, 0})), bias = leaf(Tensor({2}, {0, 0})),
                                  head = leaf(Tensor({2, 1}, {1, 1}));
  const auto origin = origin_of([&] { return sum(matmul(sqrt(linear(x, weight, bias)), head)); });
  REQUIRE(origin);
  CHECK(origin->source == Source::backward);
  CHECK(origin->op == "sqrt");
  CHECK(origin->position == 1);
  CHECK(origin->element == 1);
  CHECK(origin->value == infinity);
  // Of the layer that fed it, not of the one behind it.
  REQUIRE(origin->leaves.size() == 2);
  CHECK(origin->leaves[0].is_same(weight));
  CHECK(origin->leaves[1].is_same(bias));
}

TEST_CASE("a batch that is not finite is told from a parameter that is not, and from what ops make") {
  Tensor x({1, 2}, {1, not_a_number});
  const Tensor weight = leaf(Tensor::ones({2, 2})), bias = leaf(Tensor::zeros({2}));
  const auto step = [&] { return origin_of([&] { return sum(linear(x * 2.0, weight, bias)); }); };
  auto origin = step();
  REQUIRE(origin);
  CHECK(origin->source == Source::data);
  CHECK(origin->op == "affine");  // which is not recorded
  CHECK(origin->element == 1);
  CHECK(origin->leaves.empty());

  x = Tensor::ones({1, 2});
  weight.zero_grad();
  bias.mutable_data()[1] = -infinity;
  origin = step();
  REQUIRE(origin);
  CHECK(origin->source == Source::parameter);
  CHECK(origin->op == "linear");
  CHECK(origin->shape == Shape{2});
  CHECK(origin->value == -infinity);
  REQUIRE(origin->leaves.size() == 1);
  CHECK(origin->leaves[0].is_same(bias));

  bias.mutable_data()[1] = 0;
  weight.zero_grad();
  bias.zero_grad();
  CHECK_FALSE(step());
}

TEST_CASE("a finder that is attached late, or to several tapes, names the right layer") {
  const Tensor a = leaf(Tensor({1}, {4})), b = leaf(Tensor({1}, {0}));
  FirstNonFinite finder;
  for (const bool bad : {false, true}) {
    Tape tape;
    const Tensor early = square(a);
    const Tensor earlier = square(square(early));
    tape.observe(&finder);
    Tensor loss = earlier + (bad ? sqrt(b) : b);
    loss = loss * 2.0;
    tape.backward(loss);
    CHECK(finder.origin().has_value() == bad);
    a.zero_grad();
    b.zero_grad();
  }
  CHECK(finder.origin()->op == "sqrt");
  CHECK(finder.origin()->position == 2);
  CHECK(finder.origin()->leaves[0].is_same(b));
}

TEST_CASE("sources have names") {
  CHECK(std::string(to_string(Source::data)) == "data");
  CHECK(std::string(to_string(Source::parameter)) == "parameter");
  CHECK(std::string(to_string(Source::forward)) == "forward");
  CHECK(std::string(to_string(Source::backward)) == "backward");
}
