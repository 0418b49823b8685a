#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <handrail/optim/adam.h>
#include <handrail/optim/clip.h>
#include <handrail/optim/sgd.h>

#include "optim/fixtures.h"
#include "reference/close.h"
#include "reference/figures.h"
#include "reference/inputs.h"

namespace {

using namespace handrail;

std::unique_ptr<optim::Optimizer> make(const reference::Trajectory& t, std::vector<optim::ParamGroup> groups) {
  const optim::AdamOptions adam{.beta1 = t.beta1, .beta2 = t.beta2, .eps = t.eps};
  const std::string rule = t.rule;
  if (rule == "AdamW") return std::make_unique<optim::AdamW>(std::move(groups), adam);
  if (rule == "Adam") return std::make_unique<optim::Adam>(std::move(groups), adam);
  const optim::SGDOptions sgd{.momentum = t.momentum, .nesterov = t.nesterov};
  return std::make_unique<optim::SGD>(std::move(groups), sgd);
}

}  // namespace

TEST_CASE("optimizers follow PyTorch's trajectories over twenty steps") {
  for (const reference::Trajectory& t : reference::trajectories) {
    CAPTURE(t.name);
    const Tensor a = leaf(reference::values({5}, 0)), b = leaf(reference::values({3, 2}, 10));
    const auto optimizer = make(t, one_group({{"a", Role::bias, a}, {"b", Role::weight, b}}, t.weight_decay));
    for (int s = 0; s < reference::steps; ++s) {
      CAPTURE(s);
      const auto first = static_cast<std::uint32_t>(100 + 11 * s);
      set_gradients(
          {{a, reference::values({5}, first)}, {b, s % 7 == 3 ? Tensor() : reference::values({3, 2}, first + 5)}});
      const double scale = t.max_norm > 0 ? optim::clip_scale(optimizer->grad_norm(), t.max_norm) : 1;
      optimizer->step(t.lr * (40 - s) / 40, scale);
      // Each step rounds a parameter of up to 4 a few times, by 1.2e-7 each: 2e-6 at worst after twenty.
      const std::span<const double> want(t.params[s]);
      reference::check_close(a.span(), want.first(5), 2e-6, 1);
      reference::check_close(b.span(), want.subspan(5), 2e-6, 1);
    }
    CHECK(optimizer->state().at("a").t == 20);
    CHECK(optimizer->state().at("b").t == 17);
  }
}

TEST_CASE("a clipped gradient makes the same update as one that was scaled before, however large it was") {
  for (const double factor : {1e10, 1e20, 1e30}) {
    CAPTURE(factor);
    for (const std::string rule : {"SGD", "Adam", "AdamW"}) {
      CAPTURE(rule);
      const reference::Trajectory t{.name = "",
                                    .rule = rule.c_str(),
                                    .lr = 0.1,
                                    .weight_decay = 0.1,
                                    .momentum = 0.9,
                                    .nesterov = false,
                                    .beta1 = 0.9,
                                    .beta2 = 0.999,
                                    .eps = 1e-8,
                                    .max_norm = 1,
                                    .params = {}};
      const Tensor clipped = leaf(reference::values({5}, 0)), small = leaf(reference::values({5}, 0));
      const auto a = make(t, one_group(clipped, t.weight_decay)), b = make(t, one_group(small, t.weight_decay));
      for (std::uint32_t s = 0; s < 3; ++s) {
        set_gradients({{clipped, reference::values({5}, 100 + 5 * s, factor)}});
        const double scale = optim::clip_scale(a->grad_norm(), t.max_norm);
        a->step(t.lr, scale);
        set_gradients({{small, reference::values({5}, 100 + 5 * s, factor * scale)}});
        b->step(t.lr);
      }
      for (std::size_t i = 0; i < 5; ++i)
        CHECK(static_cast<double>(clipped.span()[i]) ==
              doctest::Approx(static_cast<double>(small.span()[i])).epsilon(1e-5));
    }
  }
}
