#include <doctest/doctest.h>

#include <vector>

#include <handrail/core/ops/ops.h>
#include <handrail/core/random.h>
#include <handrail/core/tape.h>
#include <handrail/train/checks/internal/model/gradient_checks.h>
#include <handrail/train/checks/internal/model/step_graph.h>

using namespace handrail;
using namespace handrail::train;

TEST_CASE("a batch of unusual size is standardised by columns, and its classes stay") {
  Rng rng(1);
  const Tensor x = normal({64, 3}, 5000, 900, rng), y = normal({64, 1}, 0, 1000, rng);
  const Batch batch{x, y};
  CHECK_FALSE(is_of_usual_size(batch, Task::regression));
  const Batch usual = standardised(batch, Task::regression);
  CHECK(is_of_usual_size(usual, Task::regression));
  CHECK(root_mean_square(usual.inputs) == doctest::Approx(1).epsilon(0.05));
  CHECK(standardised(batch, Task::multiclass).targets.is_same(y));
  CHECK(is_of_usual_size({usual.inputs, y}, Task::multiclass));  // class numbers have no size
  CHECK(root_mean_square(standardised({Tensor::full({64, 3}, 7), y}, Task::multiclass).inputs) == 0);
}

TEST_CASE("a gradient that hides a slope is wrong, a flat loss is not") {
  const Tensor w = Tensor({4}, {1, -1, 2, 0.5});
  const std::vector<Parameter> parameters{{.name = "w", .role = Role::weight, .tensor = w}};
  w.set_requires_grad(true);
  const auto found = [&](double slope, double said) {
    w.zero_grad();
    {
      Tape tape;
      tape.backward(sum(w) * said);
    }
    const auto loss = [&] {
      double total = 1;
      for (const Scalar x : w.span()) total += slope * static_cast<double>(x);
      return total;
    };
    return check_gradient(parameters, loss, loss());
  };
  REQUIRE(found(0.2, 1e-7));
  CHECK(found(0.2, 1e-7)->name == "wrong_gradient");
  CHECK_FALSE(found(0.2, 0.2));
  CHECK_FALSE(found(1e-7, 1e-7));
}
