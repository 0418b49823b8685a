#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/core/eigen.h>
#include <handrail/handrail.h>
#include <handrail/train/checks/internal/model/start_checks.h>

using namespace handrail;
using train::RecordedStep;
using train::StepGraph;

namespace {

struct Start {
  explicit Start(const nn::Layer& built, Scalar scale = 1, double loss_scale = 1)
      : model(built), graph(built.parameters()) {
    Rng rng(3);
    inputs = normal({32, 8}, 0, scale, rng);
    Tape tape(Mode::train, {.seed = 1, .position = 0});
    tape.observe(&graph);
    predictions = model(inputs);
    loss = cross_entropy(predictions * loss_scale, Tensor::zeros({32}));
    tape.observe(nullptr);
  }
  RecordedStep step() const { return {graph, loss, predictions, inputs, Tensor::zeros({32}), train::Task::multiclass}; }
  std::size_t count() const {
    return check_equal_units(step(), model.parameters()).size() + (check_size_of_outputs(step()) ? 1U : 0U) +
           (check_saturation(step()) ? 1 : 0) + (check_dead_at_start(step()) ? 1 : 0);
  }
  const nn::Layer& model;
  StepGraph graph;
  Tensor inputs, predictions, loss;
};

template <class Activation>
nn::Sequential network(std::uint64_t seed = 1) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{8, 16, rng}, Activation{}, nn::Linear{16, 16, rng}, Activation{},
                        nn::Linear{16, 3, rng}};
}

void scale_weights(const nn::Module& model, const std::string& name, Scalar factor, Scalar shift = 0) {
  for (const Parameter& p : model.parameters())
    if (p.name == name)
      for (Scalar& w : p.tensor.mutable_span()) w = w * factor + shift;
}

}  // namespace

TEST_CASE("an output bias that is far from 0 is named for what it does to the first loss") {
  const auto model = network<nn::ReLU>();
  scale_weights(model, "4.bias", 1, 50);
  const auto found = check_size_of_outputs(Start(model).step());
  REQUIRE(found);
  CHECK(found->name == "initial_loss");
  scale_weights(model, "4.weight", 1000);
  CHECK(check_size_of_outputs(Start(model).step())->name == "exploding_activations");
}

TEST_CASE("weights that are too large are told from large inputs, and a large loss from large outputs") {
  const auto name = [](const nn::Sequential& model, Scalar inputs) {
    Start start(model, inputs);
    const auto found = check_size_of_outputs(start.step());
    return found ? found->name : std::string();
  };
  CHECK(name(network<nn::ReLU>(), 255) == "");
  const auto large = network<nn::ReLU>();
  for (const char* layer : {"0.weight", "2.weight", "4.weight"}) scale_weights(large, layer, 30);
  CHECK(name(large, 1) == "exploding_activations");
  CHECK(name(large, 255) == "exploding_activations");
  Rng rng(1);
  const train::TensorDataset raw(normal({100, 8}, 0, 255, rng), Tensor::zeros({100}));
  const nn::Sequential normalised{nn::Standardize::fit(raw), nn::Linear{8, 3, rng}};
  CHECK(name(normalised, 255) == "");
  const auto usual = network<nn::ReLU>();
  CHECK(!check_size_of_outputs(Start(usual, 1, 1e6).step()));
}

TEST_CASE("the default weights and an output layer of zeros are not reported") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CHECK(Start(network<nn::ReLU>(seed)).count() == 0);
    CHECK(Start(network<nn::Tanh>(seed)).count() == 0);
    CHECK(Start(network<nn::Sigmoid>(seed)).count() == 0);
    const auto zeros = network<nn::ReLU>(seed);
    scale_weights(zeros, "4.weight", 0);
    CHECK(Start(zeros).count() == 0);
  }
}

TEST_CASE("a hidden layer whose units are all the same is reported") {
  for (const Scalar value : {Scalar(0), Scalar(0.5)}) {
    const auto model = network<nn::Tanh>();
    scale_weights(model, "2.weight", 0, value);
    const Start start(model);
    const auto found = check_equal_units(start.step(), model.parameters());
    REQUIRE(found.size() == 1);
    CHECK(found[0].where == "2.weight");
  }
}

TEST_CASE("units that are copies of each other are reported, unless noise or the next layer tells them apart") {
  const auto found = [](double noise, bool copy_next) {
    const auto model = network<nn::Tanh>();
    Rng rng(7);
    for (const Parameter& p : model.parameters()) {
      Scalar* w = p.tensor.mutable_data();
      if (p.name == "0.weight")
        for (Index i = 0; i < 8; ++i)
          for (Index j = 4; j < 16; ++j) w[i * 16 + j] = w[i * 16 + j % 4] + static_cast<Scalar>(noise * rng.normal());
      if (p.name == "0.bias")
        for (Index j = 4; j < 16; ++j) w[j] = w[j % 4];
      if (p.name == "2.weight" && copy_next)
        for (Index i = 4; i < 16; ++i) std::copy_n(w + i % 4 * 16, 16, w + i * 16);
    }
    StepGraph graph(model.parameters());
    const Tensor inputs = normal({32, 8}, 0, 1, rng);
    Tape tape(Mode::train, {.seed = 1, .position = 0});
    tape.observe(&graph);
    const Tensor predictions = model(inputs), loss = cross_entropy(predictions, Tensor::zeros({32}));
    tape.backward(loss);
    tape.observe(nullptr);
    const RecordedStep step{graph, loss, predictions, inputs, Tensor::zeros({32}), train::Task::multiclass};
    const auto copies = check_copied_units(step, model.parameters());
    return copies ? copies->where : std::string();
  };
  CHECK(found(0, true) == "0.weight");
  CHECK(found(0, false) == "");
  CHECK(found(1e-3, true) == "");
}

TEST_CASE("clamps at their limits, and a softmax between layers, are reported") {
  const auto with = [](const std::function<Tensor(const Tensor&)>& activation) {
    struct Bent : nn::Layer {
      Bent(Rng& rng, std::function<Tensor(const Tensor&)> f)
          : first(add("first", nn::Linear{8, 40, rng})),
            last(add("last", nn::Linear{40, 3, rng})),
            bend(std::move(f)) {}
      Tensor forward(const Tensor& x) const override { return last(bend(first(x))); }
      nn::Linear &first, &last;
      std::function<Tensor(const Tensor&)> bend;
    };
    Rng rng(1);
    const Bent model(rng, activation);
    const Start start(model);
    const auto saturated = check_saturation(start.step()), size = check_size_of_outputs(start.step());
    return (saturated ? saturated->name : "") + (size ? size->name : "");
  };
  CHECK(with([](const Tensor& h) { return clamp(h * 40.0, 0, 1); }) == "saturated_units");
  CHECK(with([](const Tensor& h) { return clamp(h, 0, 6); }) == "");
  CHECK(with([](const Tensor& h) { return clamp(h, -1, 1); }) == "");
  CHECK(with([](const Tensor& h) { return softmax(h); }) == "vanishing_activations");
  CHECK(with([](const Tensor& h) { return h * softmax(h); }) == "");  // as a gate
  CHECK(with([](const Tensor& h) { return h * softmax(sum(h, 1, true)); }) == "inputs_ignored");
}

TEST_CASE("predictions of a regression that begin far from targets about 0 are reported") {
  const auto found = [](Scalar bias, double target) {
    const auto model = network<nn::ReLU>();
    scale_weights(model, "4.bias", 1, bias);
    const Start start(model);
    Rng rng(9);
    const Tensor targets = normal({32, 3}, target, 1, rng);
    const auto anomaly = train::check_offset_of_predictions(
        {start.graph, start.loss, start.predictions, start.inputs, targets, train::Task::regression});
    return anomaly ? anomaly->name : std::string();
  };
  CHECK(found(8, 0) == "initial_loss");
  CHECK(found(0, 0) == "");
  CHECK(found(1, 0) == "");
  CHECK(found(50, 50) == "");  // a bias that begins at the mean of the targets
}

TEST_CASE("activations at their limits before training are reported") {
  const auto tanh_model = network<nn::Tanh>(), sigmoid_model = network<nn::Sigmoid>();
  scale_weights(tanh_model, "0.weight", 40);
  scale_weights(sigmoid_model, "0.weight", 80);
  const auto found = check_saturation(Start(tanh_model).step());
  REQUIRE(found);
  CHECK(found->where == "layer '0'");
  CHECK(check_saturation(Start(sigmoid_model).step()));
}

TEST_CASE("units that are dead before training are reported") {
  const auto model = network<nn::ReLU>();
  scale_weights(model, "2.bias", 1, -10);
  const auto found = check_dead_at_start(Start(model).step());
  REQUIRE(found);
  CHECK(found->evidence == "16 of 16 units give 0 for all 32 samples of the first batch, before training");
}

TEST_CASE("initial weights that are far too large or too small are reported with their layer") {
  const auto large = network<nn::ReLU>(), small = network<nn::ReLU>();
  scale_weights(large, "0.weight", 200);
  scale_weights(small, "0.weight", 1e-4F);
  scale_weights(small, "0.bias", 0);
  const auto one = check_size_of_outputs(Start(large).step()), other = check_size_of_outputs(Start(small).step());
  REQUIRE(one);
  REQUIRE(other);
  CHECK(one->name == "exploding_activations");
  CHECK(one->where == "layer '0'");
  CHECK(other->name == "vanishing_activations");
}

TEST_CASE("logits that are divided by a large number are reported, and by a small one are not") {
  struct Divided : nn::Layer {
    explicit Divided(double by) : divisor(by) {}
    Tensor forward(const Tensor& x) const override { return x / divisor; }
    double divisor;
  };
  const auto found = [](double divisor) {
    auto model = network<nn::ReLU>();
    model.push_back(Divided(divisor));
    const Start start(model);
    CHECK(!check_size_of_outputs(start.step()));
    return check_scale_of_predictions(start.step());
  };
  REQUIRE(found(1000));
  CHECK(found(1000)->name == "vanishing_activations");
  CHECK(!found(2));
  CHECK(!check_scale_of_predictions(Start(network<nn::ReLU>()).step()));
}

TEST_CASE("an operation without a slope is reported by the gradient before it") {
  struct Rounded : nn::Layer {
    Tensor forward(const Tensor& x) const override {
      const Tensor y = x.clone();
      for (Scalar& value : y.mutable_span()) value = std::round(value);
      return Tape::record("round", {x}, y, [x](const Backward& b) { b[0] += Tensor::zeros(x.shape()); });
    }
  };
  Rng rng(1);
  const nn::Sequential model{nn::Linear{8, 16, rng}, nn::Tanh{}, Rounded{}, nn::Linear{16, 3, rng}};
  StepGraph graph(model.parameters());
  Tape tape(Mode::train, {.seed = 1, .position = 0});
  tape.observe(&graph);
  const Tensor x = normal({32, 8}, 0, 1, rng), y = Tensor::zeros({32}), p = model(x), loss = cross_entropy(p, y);
  tape.observe(nullptr);
  tape.backward(loss);
  const auto found = train::check_zero_gradient({graph, loss, p, x, y, train::Task::multiclass}, model.parameters());
  REQUIRE(found);
  CHECK(found->where == "0.weight");
}

TEST_CASE("a residual branch that begins at zero is not reported") {
  // x + gain * out(relu(in(x))): either the gain or the last layer of the branch begins at 0, or the branch is the
  // product of two thin layers, of which the second begins at 0.
  enum class Zero { gain, layer, thin };
  struct Residual : nn::Layer {
    Residual(Zero zero, Rng& rng)
        : in(add("in", nn::Linear{16, 16, rng})),
          out(add("out", nn::Linear{16, 16, rng})),
          gain(param("gain", Tensor({1}, {zero == Zero::gain ? Scalar(0) : Scalar(1)}))),
          thin(zero == Zero::thin) {
      if (zero != Zero::gain) std::ranges::fill(out.weight.mutable_span(), Scalar(0));
    }
    Tensor forward(const Tensor& x) const override { return thin ? x + 2 * out(in(x)) : x + gain * out(relu(in(x))); }
    nn::Linear &in, &out;
    const Tensor gain;
    bool thin;
  };
  for (const Zero zero : {Zero::gain, Zero::layer, Zero::thin}) {
    CAPTURE(static_cast<int>(zero));
    Rng rng(1);
    const nn::Sequential model{nn::Linear{8, 16, rng}, Residual{zero, rng}, nn::ReLU{}, nn::Linear{16, 3, rng}};
    StepGraph graph(model.parameters());
    Tape tape(Mode::train, {.seed = 1, .position = 0});
    tape.observe(&graph);
    const Tensor x = normal({32, 8}, 0, 1, rng), y = Tensor::zeros({32}), p = model(x), loss = cross_entropy(p, y);
    tape.observe(nullptr);
    tape.backward(loss);
    const RecordedStep step{graph, loss, p, x, y, train::Task::multiclass};
    CHECK(check_equal_units(step, model.parameters()).empty());
    CHECK(!check_size_of_outputs(step));
    CHECK(!check_zero_gradient(step, model.parameters()));
  }
}

TEST_CASE("a class that is masked in every row is named, large outputs and a class without rows are not") {
  struct Masked : nn::Layer {
    Masked(Index output, Scalar value) : mask(Tensor::zeros({1, 3})) { mask.mutable_data()[output] = value; }
    Tensor forward(const Tensor& x) const override { return x + mask; }
    Tensor mask;
  };
  const auto found = [](Index output, Scalar value, Scalar factor = 1) {
    Rng rng(1);
    const nn::Sequential model{nn::Linear{8, 16, rng}, nn::ReLU{}, nn::Linear{16, 3, rng}, Masked{output, value}};
    scale_weights(model, "2.weight", factor);
    return check_masked_class(Start(model).step());  // all rows have class 0
  };
  REQUIRE(found(0, -10000));
  CHECK(found(0, -10000)->name == "output_range");
  CHECK(found(0, -10000)->where == "output 0");
  CHECK_FALSE(found(1, -10000));
  CHECK_FALSE(found(0, -50));
  CHECK_FALSE(found(0, 0, 10'000));
}
