#include <doctest/doctest.h>

#include <handrail/core/error.h>
#include <handrail/core/gradcheck.h>
#include <handrail/core/ops/ops.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

TEST_CASE("gradcheck in the float build is refused, naming the build to use") {
  check_throws<OptionError>(
      [] { gradcheck([](const std::vector<Tensor>& in) { return square(in[0]); }, {leaf(Tensor::ones({2}))}); },
      "gradcheck: want the double build, handrail::handrail_f64; got float");
}
