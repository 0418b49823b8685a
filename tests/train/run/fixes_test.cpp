#include <handrail/train/run/fix.h>

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <handrail/handrail.h>

#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::Fix;
using train::Task;
using train::TrainerOptions;
namespace fixes = train::fixes;

namespace {

// Four inputs of scale 1, the first with -999 in every fifth row, and a target around 500.
struct Rows {
  Tensor inputs = Tensor({100, 4}), targets = Tensor({100, 1});
  Rows() {
    Rng rng(3);
    for (Scalar& x : inputs.mutable_span()) x = static_cast<Scalar>(rng.below(1000)) / 1000;
    for (Index i = 0; i < 100; i += 5) inputs.mutable_data()[4 * i] = -999;
    for (Scalar& y : targets.mutable_span()) y = static_cast<Scalar>(400 + rng.below(200));
  }
};

bool apply(const Fix& fix, nn::Module& model, Task task = Task::regression) {
  const Rows rows;
  Rng rng(7);
  return fix.change_model(model, {rows.inputs, rows.targets, task, rng});
}

// The layers in one line; widths of linear layers in brackets.
std::string kinds(const nn::Sequential& model) {
  std::string text;
  const auto is = [](const auto& layer, auto* kind) {
    return dynamic_cast<std::remove_pointer_t<decltype(kind)>*>(layer.get());
  };
  for (const auto& layer : model.layers()) {
    text += text.empty() ? "" : " ";
    if (const auto* linear = is(layer, static_cast<nn::Linear*>(nullptr)))
      text +=
          "linear[" + std::to_string(linear->weight.shape()[0]) + "," + std::to_string(linear->weight.shape()[1]) + "]";
    else if (is(layer, static_cast<nn::ReLU*>(nullptr)))
      text += "relu";
    else if (is(layer, static_cast<nn::Sigmoid*>(nullptr)))
      text += "sigmoid";
    else if (is(layer, static_cast<nn::LayerNorm*>(nullptr)))
      text += "layer_norm";
    else if (is(layer, static_cast<nn::BatchNorm1d*>(nullptr)))
      text += "batch_norm";
    else if (is(layer, static_cast<nn::Dropout*>(nullptr)))
      text += "dropout";
    else if (is(layer, static_cast<nn::Standardize*>(nullptr)))
      text += "standardize";
    else if (is(layer, static_cast<nn::Impute*>(nullptr)))
      text += "impute";
    else
      text += "other";
  }
  return text;
}

// What a fix makes of a model; "nothing" when it has nothing to change.
std::string after(const Fix& fix, nn::Sequential model, Task task = Task::regression) {
  const auto before = kinds(model);
  if (apply(fix, model, task)) return kinds(model);
  CHECK(kinds(model) == before);
  return "nothing";
}

struct Own : nn::Layer {
  Tensor forward(const Tensor& x) const override { return softmax(x); }
};

}  // namespace

TEST_CASE("fixes of the inputs put layers in front that are fitted on training rows") {
  Rng rng(1);
  CHECK(after(fixes::standardize_inputs(), nn::Sequential{nn::Linear{4, 1, rng}}) == "standardize linear[4,1]");
  CHECK(after(fixes::standardize_inputs(), nn::Sequential{nn::Standardize{4}, nn::Linear{4, 1, rng}}) ==
        "standardize linear[4,1]");
  CHECK(after(fixes::impute_inputs(), nn::Sequential{nn::Linear{4, 1, rng}}) == "impute standardize linear[4,1]");

  nn::Sequential model{nn::Linear{4, 1, rng}};
  REQUIRE(apply(fixes::impute_inputs(), model));
  const auto& impute = dynamic_cast<const nn::Impute&>(*model.layers()[0]);
  check_values(impute.code, {-999, 0, 0, 0});
  const auto& standardize = dynamic_cast<const nn::Standardize&>(*model.layers()[1]);
  CHECK(std::abs(static_cast<double>(standardize.mean.data()[0]) - 0.5) < 0.1);
}

TEST_CASE("outputs of a regression get the scale of the targets") {
  Rng rng(1);
  nn::Sequential model{nn::Linear{4, 1, rng}};
  CHECK_FALSE(apply(fixes::scale_outputs(), model, Task::binary));
  REQUIRE(apply(fixes::scale_outputs(), model));
  CHECK(kinds(model) == "linear[4,1] standardize");
  const double output = static_cast<double>(model(Tensor::zeros({1, 4})).item());
  CHECK(output > 350);
  CHECK(output < 650);
}

TEST_CASE("fixes of the layers change what they name and nothing else") {
  Rng rng(1);
  const auto linear = [&rng](Index in, Index out) { return nn::Linear{in, out, rng}; };
  CHECK(after(fixes::insert_activations(), nn::Sequential{linear(4, 3), linear(3, 2), nn::ReLU{}, linear(2, 1)}) ==
        "linear[4,3] relu linear[3,2] relu linear[2,1]");
  CHECK(after(fixes::insert_activations(), nn::Sequential{linear(4, 3), nn::ReLU{}, linear(3, 1)}) == "nothing");
  CHECK(after(fixes::remove_repeated_activations(), nn::Sequential{linear(4, 3), nn::Sigmoid{}, nn::Sigmoid{},
                                                                   linear(3, 1)}) == "linear[4,3] sigmoid linear[3,1]");
  CHECK(after(fixes::linear_outputs(), nn::Sequential{linear(4, 3), nn::ReLU{}, linear(3, 2), nn::Dropout{}, Own{}}) ==
        "linear[4,3] relu linear[3,2]");
  CHECK(after(fixes::linear_outputs(), nn::Sequential{linear(4, 1), nn::Standardize{1}}) == "nothing");
  CHECK(after(fixes::replace_activations(), nn::Sequential{linear(4, 3), nn::Sigmoid{}, linear(3, 1)}) ==
        "linear[4,3] relu linear[3,1]");
  CHECK(after(fixes::layer_norm(), nn::Sequential{linear(4, 3), nn::ReLU{}, linear(3, 1)}) ==
        "linear[4,3] layer_norm relu linear[3,1]");
  CHECK(after(fixes::layer_norm(), nn::Sequential{linear(4, 3), nn::BatchNorm1d{3}, linear(3, 1)}) == "nothing");
  CHECK(after(fixes::remove_dropout(), nn::Sequential{nn::Dropout{0.9}, linear(4, 1)}) == "linear[4,1]");
  CHECK(after(fixes::remove_dropout(), nn::Sequential{linear(4, 1)}) == "nothing");
}

TEST_CASE("layers are made wider and fewer, and their widths still fit") {
  Rng rng(1);
  const auto linear = [&rng](Index in, Index out) { return nn::Linear{in, out, rng}; };
  nn::Sequential narrow{linear(4, 2), nn::BatchNorm1d{2}, nn::ReLU{}, linear(2, 1)};
  REQUIRE(apply(fixes::widen(8), narrow));
  CHECK(kinds(narrow) == "linear[4,8] batch_norm relu linear[8,1]");
  CHECK(narrow(Tensor::ones({3, 4})).shape() == Shape{3, 1});
  CHECK(after(fixes::widen(8), nn::Sequential{linear(4, 9), nn::ReLU{}, linear(9, 1)}) == "nothing");

  nn::Sequential deep{linear(4, 3)};
  for (int i = 0; i < 5; ++i) {
    deep.push_back(nn::ReLU{});
    deep.push_back(linear(3, 3));
  }
  deep.push_back(nn::ReLU{});
  deep.push_back(linear(3, 1));
  REQUIRE(apply(fixes::fewer_layers(2), deep));
  CHECK(kinds(deep) == "linear[4,3] relu linear[3,3] relu linear[3,1]");
  CHECK_FALSE(apply(fixes::fewer_layers(2), deep));
}

TEST_CASE("nested Sequentials become one list of layers, which keep their weights") {
  Rng rng(1);
  nn::Sequential inner{nn::Linear{4, 3, rng}, nn::Linear{3, 2, rng}};
  nn::Sequential model{std::move(inner), nn::ReLU{}, nn::Linear{2, 1, rng}};
  const Tensor weight = model.parameters()[2].tensor;
  REQUIRE(apply(fixes::insert_activations(), model));
  CHECK(kinds(model) == "linear[4,3] relu linear[3,2] relu linear[2,1]");
  CHECK(model.parameters()[2].tensor.is_same(weight));
}

TEST_CASE("weights are drawn anew, and all parameters trained, in any model") {
  NormModel model;
  for (const Parameter& p : model.parameters())
    for (Scalar& w : p.tensor.mutable_span()) w = 50;
  REQUIRE(apply(fixes::initialize(), model));
  CHECK(static_cast<double>(model.in.weight.data()[0]) != 50);
  CHECK(std::abs(static_cast<double>(model.in.weight.data()[0])) <= 1 / std::sqrt(2.0));
  check_values(model.norm.weight, std::vector<double>(16, 1));

  CHECK_FALSE(apply(fixes::unfreeze(), model));
  model.freeze("in");
  REQUIRE(apply(fixes::unfreeze(), model));
  CHECK(model.in.weight.requires_grad());
}

TEST_CASE("fixes of the options set what they name to the default") {
  TrainerOptions o{.epochs = 3};
  o.batch_size = 500;
  o.accumulate_grad_batches = 8;
  o.optimizer = train::with<optim::SGD>({});
  o.lr = 5.0;
  o.decay = train::Decay::constant;
  o.warmup = 0.9;
  o.check_warmup = false;
  o.weight_decay = 10.0;
  o.decay_exempt = false;
  o.patience = train::off;
  o.restore_best = false;
  o.monitor = "train_loss";
  o.limit_train_batches = 2;
  o.max_seconds = 1.0;
  for (const Fix& fix :
       {fixes::more_steps(), fixes::more_epochs(4), fixes::default_optimizer(), fixes::default_schedule(),
        fixes::weight_decay(0.01), fixes::early_stopping(), fixes::monitor_loss(), fixes::no_limits()})
    fix.change(o);
  const TrainerOptions defaults{.epochs = 12};
  CHECK(o.epochs == 12);
  CHECK(o.batch_size == defaults.batch_size);
  CHECK(o.accumulate_grad_batches == 1);
  CHECK_FALSE(o.optimizer);
  CHECK_FALSE(o.lr);
  CHECK(o.decay == defaults.decay);
  CHECK(*o.warmup == *defaults.warmup);
  CHECK(*o.weight_decay == 0.01);
  CHECK(o.decay_exempt);
  CHECK(*o.patience == *defaults.patience);
  CHECK(o.restore_best);
  CHECK(o.monitor == "val_loss");
  CHECK_FALSE(o.limit_train_batches);
  CHECK_FALSE(o.max_seconds);
}

TEST_CASE("anomalies have fixes, the first cause first, each once") {
  const auto found = [](const char* name, train::Rank rank) {
    return train::Anomaly{.name = name, .evidence = {}, .cause = {}, .remedy = {}, .rank = rank};
  };
  train::FitResult result;
  result.anomalies = {found("slow_progress", train::Rank::pace), found("input_scale", train::Rank::setup),
                      found("something_of_the_user", train::Rank::setup)};
  const auto list = result.fixes();
  REQUIRE(list.size() == 2);
  CHECK(list[0].name == "standardize inputs");
  CHECK(list[0].anomaly == "input_scale");
  CHECK(list[1].name == "find_lr");
  CHECK(train::FitResult{}.fixes().empty());
}
