#include <cstdio>

#include <handrail/core/gradcheck.h>
#include <handrail/core/random.h>

#include "cube.h"

using namespace handrail;

int main() {
  Rng rng(1);
  const Tensor x = normal({3, 4}, 0, 1, rng);
  x.set_requires_grad(true);
  const auto result = gradcheck([](const std::vector<Tensor>& in) { return cube(in[0]); }, {x});
  std::printf("cube: largest relative error %.1e\n", result.max_relative_error);
  return result.passed ? 0 : 1;
}
