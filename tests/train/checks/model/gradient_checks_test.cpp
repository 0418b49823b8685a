#include <doctest/doctest.h>

#include <handrail/core/random.h>
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
