#include <handrail/nn/module.h>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/sequential.h>
#include <handrail/nn/standardize.h>

#include "support/check_throws.h"
#include "support/tensors.h"

using namespace handrail;

namespace {

// A module whose protected functions a test can call.
struct Open : nn::Module {
  using nn::Module::add;
  using nn::Module::buffer;
  using nn::Module::param;
};

struct Mlp : nn::Module {
  explicit Mlp(Rng& rng)
      : hidden(add("hidden", nn::Linear{3, 4, rng})),
        norm(add("norm", nn::BatchNorm1d{4})),
        out(add("out", nn::Linear{4, 2, rng})),
        temperature(param("temperature", Tensor::ones({1}))) {}
  Tensor operator()(const Tensor& x) const { return out(relu(norm(hidden(x)))) * temperature; }

  nn::Linear& hidden;
  nn::BatchNorm1d& norm;
  nn::Linear& out;
  const Tensor temperature;
};

struct Pair : nn::Module {
  explicit Pair(Rng& rng) : left(add("left", Mlp{rng})), right(add("right", Mlp{rng})) {}
  Mlp& left;
  Mlp& right;
};

template <class Named>
std::vector<std::string> names(const std::vector<Named>& all) {
  std::vector<std::string> result;
  for (const Named& one : all) result.push_back(one.name);
  return result;
}

}  // namespace

TEST_CASE("parameters have full names, a module's own before its children's in the order of registration") {
  Rng rng{1};
  const Mlp model{rng};
  const std::vector<std::string> want{"temperature", "hidden.weight", "hidden.bias", "norm.weight",
                                      "norm.bias",   "out.weight",    "out.bias"};
  CHECK(names(model.parameters()) == want);
}

TEST_CASE("names of nested modules are joined by dots") {
  Rng rng{1};
  const Pair model{rng};
  const auto all = names(model.parameters());
  REQUIRE(all.size() == 14);
  CHECK(all.front() == "left.temperature");
  CHECK(all[1] == "left.hidden.weight");
  CHECK(all.back() == "right.out.bias");
  const std::vector<std::string> buffers{"left.norm.running_mean", "left.norm.running_var", "right.norm.running_mean",
                                         "right.norm.running_var"};
  CHECK(names(model.buffers()) == buffers);
}

TEST_CASE("parameters are leaves with roles and share their elements with the model; buffers are constants") {
  Rng rng{1};
  const Mlp model{rng};
  const std::vector<Parameter> all = model.parameters();
  for (const Parameter& p : all) CHECK(p.tensor.requires_grad());
  CHECK(all[0].role == Role::bias);
  CHECK(all[1].role == Role::weight);
  CHECK(all[2].role == Role::bias);
  CHECK(all[3].role == Role::norm);
  CHECK(all[4].role == Role::norm);
  CHECK(all[1].tensor.is_same(model.hidden.weight));
  CHECK(all[2].tensor.is_same(model.hidden.bias));
  for (const Buffer& b : model.buffers()) CHECK_FALSE(b.tensor.requires_grad());
}

TEST_CASE("a parameter without a role is a weight from two dimensions on, unless it is called a bias") {
  Open module;
  module.param("scalar", Tensor::scalar(1));
  module.param("vector", Tensor::ones({3}));
  module.param("matrix", Tensor::ones({3, 2}));
  module.param("kernel", Tensor::ones({3, 2, 2}));
  module.param("table", Role::embedding, Tensor::ones({3, 2}));
  const std::vector<Parameter> all = module.parameters();
  CHECK(all[0].role == Role::bias);
  CHECK(all[1].role == Role::bias);
  CHECK(all[2].role == Role::weight);
  CHECK(all[3].role == Role::weight);
  CHECK(all[4].role == Role::embedding);

  Open named;
  named.param("bias", Tensor::ones({1, 3}));
  named.param("out_bias", Tensor::ones({1, 3}));
  named.param("unbias", Tensor::ones({1, 3}));
  const std::vector<Parameter> biases = named.parameters();
  CHECK(biases[0].role == Role::bias);
  CHECK(biases[1].role == Role::bias);
  CHECK(biases[2].role == Role::weight);
}

TEST_CASE("parameter_count counts the scalars of the whole tree without buffers") {
  Rng rng{1};
  CHECK(Mlp{rng}.parameter_count() == 1 + (3 * 4 + 4) + (4 + 4) + (4 * 2 + 2));
  CHECK(Pair{rng}.parameter_count() == 2 * 35);
  CHECK(Open{}.parameter_count() == 0);
}

TEST_CASE("references to children survive a move of the model") {
  Rng rng{1};
  Mlp first{rng};
  const Tensor x({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor before = first(x);
  const nn::Linear* hidden = &first.hidden;
  const Mlp second{std::move(first)};
  CHECK(&second.hidden == hidden);
  CHECK(same_bits(second(x), before));
  CHECK(second.parameters().size() == 7);
  CHECK(second.parameters()[1].tensor.is_same(second.hidden.weight));
}

TEST_CASE("a model that was moved trains the parameters it lists") {
  Rng rng{1};
  std::vector<Mlp> models;
  for (int i = 0; i < 5; ++i) models.push_back(Mlp{rng});
  const Mlp& model = models.front();
  Tape tape;
  tape.backward(sum(model(Tensor({2, 3}, {1, 2, 3, 4, 5, 6}))));
  for (const Parameter& p : model.parameters()) CHECK(p.tensor.grad().defined());
}

TEST_CASE("a name may be used once in a module, whatever for") {
  Rng rng{1};
  Open module;
  module.param("a", Tensor::ones({1}));
  module.buffer("b", Tensor::ones({1}));
  module.add("c", nn::Linear{1, 1, rng});
  for (const std::string name : {"a", "b", "c"}) {
    const std::string text = "Module: the name '" + name + "' is taken";
    check_throws<OptionError>([&] { module.param(name, Tensor::ones({1})); }, text);
    check_throws<OptionError>([&] { module.buffer(name, Tensor::ones({1})); }, text);
    check_throws<OptionError>([&] { module.add(name, nn::Linear{1, 1, rng}); }, text);
  }
  CHECK(module.parameters().size() == 3);
  CHECK(module.buffers().size() == 1);
}

TEST_CASE("names that are empty, too long or have other characters are refused") {
  Rng rng{1};
  Open module;
  for (const std::string& name : {std::string(), std::string("a.b"), std::string("a b"), std::string("a/b"),
                                  std::string("\xC3\xA4"), std::string("a\n"), std::string(101, 'a')}) {
    check_throws<OptionError>([&] { module.param(name, Tensor::ones({1})); },
                              "Module: want a name of 1 to 100 letters, digits, '_', '-' or '='", "'" + name + "'");
    check_throws<OptionError>([&] { module.add(name, nn::Linear{1, 1, rng}); }, "Module: want a name");
  }
  CHECK(module.parameters().empty());
  module.param("A-z_0=9", Tensor::ones({1}));
  module.param(std::string(100, 'a'), Tensor::ones({1}));
  CHECK(module.parameters().size() == 2);
}

TEST_CASE("layers that bring features of any scale to a common one say so, and no other does") {
  Rng rng(1);
  CHECK(nn::BatchNorm1d{2}.normalises());
  CHECK(nn::Standardize{2}.normalises());
  // Its statistics are those of a row, so the scale of one column against the others stays.
  CHECK(!nn::LayerNorm{2}.normalises());
  CHECK(!nn::Linear{2, 1, rng}.normalises());
  CHECK(!nn::Sequential{nn::BatchNorm1d{2}}.normalises());
}
