#include <doctest/doctest.h>

#include <string>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/sequential.h>
#include <handrail/optim/adam.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

struct Mlp : nn::Module {
  explicit Mlp(Rng& rng)
      : hidden(add("hidden", nn::Linear{3, 4, rng})),
        norm(add("norm", nn::BatchNorm1d{4})),
        hidden2(add("hidden2", nn::Linear{4, 4, rng})),
        out(add("out", nn::Sequential{nn::ReLU{}, nn::Linear{4, 2, rng}})) {}
  Tensor operator()(const Tensor& x) const { return out(hidden2(norm(hidden(x)))); }

  nn::Linear& hidden;
  nn::BatchNorm1d& norm;
  nn::Linear& hidden2;
  nn::Sequential& out;
};

// The full names of the parameters that are trained.
std::string trained(const nn::Module& model) {
  std::string names;
  for (const Parameter& p : model.parameters())
    if (p.tensor.requires_grad()) names += p.name + " ";
  return names;
}

const Tensor x({4, 3}, {1, -2, 3, 0, 5, -6, 7, 8, 9, -1, 0, 2});

void step(const Mlp& model, optim::Optimizer& optimizer) {
  optimizer.zero_grad();
  Tape tape;
  tape.backward(mean(square(model(x) - 1.0)));
  optimizer.step(0.1);
}

}  // namespace

TEST_CASE("freeze stops the training of a whole module, of a child, or of what a name stands for") {
  Rng rng{1};
  Mlp model{rng};
  const std::string all = trained(model);
  CHECK_FALSE(model.frozen());
  model.freeze();
  CHECK(trained(model).empty());
  CHECK(model.frozen());
  CHECK(model.hidden.frozen());
  model.unfreeze();
  CHECK(trained(model) == all);

  model.hidden.freeze();
  CHECK(model.hidden.frozen());
  CHECK_FALSE(model.frozen());
  // A name stands for itself and what is below it, not for all that begin with it.
  CHECK(trained(model) == "norm.weight norm.bias hidden2.weight hidden2.bias out.1.weight out.1.bias ");
  model.freeze("hidden2.bias");
  model.freeze("out.1");
  CHECK(trained(model) == "norm.weight norm.bias hidden2.weight ");
  model.unfreeze("hidden");
  model.unfreeze("out");
  CHECK(trained(model) == "hidden.weight hidden.bias norm.weight norm.bias hidden2.weight out.1.weight out.1.bias ");
}

TEST_CASE("a child without parameters may be frozen by name, and is never frozen") {
  Rng rng{1};
  Mlp model{rng};
  const std::string all = trained(model);
  model.freeze("out.0");
  CHECK(trained(model) == all);
  CHECK_FALSE(nn::ReLU{}.frozen());
}

TEST_CASE("a name that nothing has is refused with the names there are, and changes nothing") {
  Rng rng{1};
  Mlp model{rng};
  const std::string all = trained(model);
  for (const char* name : {"hid", "hidden.", "hidden.weights", "", "running_mean"}) {
    check_throws<OptionError>([&] { model.freeze(name); }, "freeze: want the name of a child or parameter; got '",
                              std::string("'") + name + "'", "\n  hidden\n  hidden.weight\n  hidden.bias\n",
                              "\n  out.1.bias");
    check_throws<OptionError>([&] { model.unfreeze(name); }, "unfreeze: want the name");
  }
  CHECK(trained(model) == all);
}

TEST_CASE("a frozen layer gets no gradient, no update and no weight decay; running statistics still move") {
  Rng rng{1};
  Mlp model{rng};
  optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.5)};
  step(model, optimizer);
  model.hidden.freeze();
  model.norm.freeze();
  const Tensor hidden = model.hidden.weight.clone(), gain = model.norm.weight.clone(),
               behind = model.hidden2.weight.clone(), mean_before = model.norm.running_mean.clone();
  step(model, optimizer);
  CHECK_FALSE(model.hidden.weight.grad().defined());
  CHECK(same_bits(model.hidden.weight, hidden));
  CHECK(same_bits(model.norm.weight, gain));
  CHECK_FALSE(same_bits(model.hidden2.weight, behind));
  CHECK_FALSE(same_bits(model.norm.running_mean, mean_before));
  CHECK(optimizer.state().at("hidden.weight").t == 1);
  CHECK(optimizer.state().at("hidden2.weight").t == 2);
  model.unfreeze();
  step(model, optimizer);
  CHECK_FALSE(same_bits(model.hidden.weight, hidden));
  CHECK(optimizer.state().at("hidden.weight").t == 2);
}

TEST_CASE("a layer that is frozen when gradients are there, or between forward and backward, is not updated") {
  Rng rng{1};
  Mlp model{rng};
  optim::AdamW optimizer{optim::decay_groups(model.parameters(), 0.5)};
  const Tensor before = model.hidden.weight.clone();
  {
    Tape tape;
    tape.backward(sum(model(x)));
  }
  model.hidden.freeze();
  optimizer.step(0.1);
  CHECK(same_bits(model.hidden.weight, before));

  model.unfreeze();
  optimizer.zero_grad();
  Tape tape;
  const Tensor loss = sum(model(x));
  model.hidden.freeze();
  tape.backward(loss);
  optimizer.step(0.1);
  CHECK(same_bits(model.hidden.weight, before));
  CHECK(optimizer.state().at("hidden.weight").t == 0);
}
