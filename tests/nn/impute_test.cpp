#include <handrail/nn/impute.h>

#include <doctest/doctest.h>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/tape.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// Column 0 has the code -999, column 1 has none.
nn::Impute fitted() {
  return nn::Impute::fit(Tensor({5, 2}, {1, -999, -999, 5, 3, 6, 2, 7, -999, 8}), Tensor({2}, {-999, 0}),
                         Tensor({2}, {1, 0}));
}

}  // namespace

TEST_CASE("Impute puts the median of the other values in the place of a column's code") {
  const nn::Impute layer = fitted();
  check_values(layer.value, {2, 0});
  check_values(layer(Tensor({3, 2}, {-999, -999, 4, 0, -999, 1})), {2, -999, 4, 0, 2, 1});
}

TEST_CASE("Impute of a width passes its input on until its constants are loaded") {
  const nn::Impute layer{2};
  const Tensor x({2, 2}, {0, -999, 3, 4});
  CHECK(same_bits(layer(x), x));
  CHECK(layer.buffers().size() == 3);
  check_throws<OptionError>([] { nn::Impute{0}; }, "Impute: want at least 1 feature; got 0");
}

TEST_CASE("Impute takes tables of its width only, and columns that are not all code") {
  check_throws<ShapeError>([] { fitted()(Tensor::ones({2, 3})); }, "Impute: want x [N, 2]; got x [2, 3]");
  check_throws<ShapeError>([] { fitted()(Tensor::ones({2})); }, "got x [2]");
  check_throws<ShapeError>([] { nn::Impute::fit(Tensor::ones({2}), Tensor::ones({2}), Tensor::ones({2})); },
                           "Impute: want inputs [N, features]");
  check_throws<DataError>(
      [] {
        nn::Impute::fit(Tensor({2, 1}, {7, 7}), Tensor({1}, {7}), Tensor::ones({1}));
      },
      "Impute: want a value that is not the code 7 in column 0; got none");
}

TEST_CASE("gradients pass Impute where nothing was missing") {
  const Tensor x = leaf(Tensor({2, 2}, {-999, 1, 2, 3}));
  Tape tape;
  tape.backward(sum(fitted()(x)));
  check_values(x.grad(), {0, 1, 1, 1});
}
