#include <handrail/train/lr/lr_scaling.h>

#include <doctest/doctest.h>

#include <cmath>

#include <handrail/nn/linear.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/sgd.h>

using namespace handrail;
using train::lr_scale;
using train::LrScaling;

namespace {

struct Optimizers {
  Rng rng{1};
  nn::Linear model{2, 1, rng};
  optim::AdamW adamw{optim::decay_groups(model.parameters(), 0.01)};
  optim::SGD sgd{optim::decay_groups(model.parameters(), 0.01)};
};

}  // namespace

TEST_CASE("a rate stated for batches of 32 grows with the batch size by the chosen rule") {
  const Optimizers of;
  const optim::Optimizer* const both[] = {&of.adamw, &of.sgd};
  for (const optim::Optimizer* optimizer : both) {
    CHECK(lr_scale(LrScaling::linear, *optimizer, 32) == 1);
    CHECK(lr_scale(LrScaling::linear, *optimizer, 128) == 4);
    CHECK(lr_scale(LrScaling::linear, *optimizer, 8) == 0.25);
    CHECK(lr_scale(LrScaling::sqrt, *optimizer, 32) == 1);
    CHECK(lr_scale(LrScaling::sqrt, *optimizer, 128) == 2);
    CHECK(lr_scale(LrScaling::sqrt, *optimizer, 16) == doctest::Approx(std::sqrt(0.5)));
    CHECK(lr_scale(LrScaling::none, *optimizer, 1024) == 1);
  }
}

TEST_CASE("the automatic rule is the square root for the Adam family and linear for SGD") {
  const Optimizers of;
  for (const Index batch : {1, 32, 100, 1024}) {
    CHECK(lr_scale(LrScaling::automatic, of.adamw, batch) == lr_scale(LrScaling::sqrt, of.adamw, batch));
    CHECK(lr_scale(LrScaling::automatic, of.sgd, batch) == lr_scale(LrScaling::linear, of.sgd, batch));
  }
}
