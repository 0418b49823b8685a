#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <handrail/handrail.h>
#include <handrail/train/checks/internal/model/layer_checks.h>
#include <handrail/train/checks/internal/model/loss_checks.h>

using namespace handrail;
using train::RecordedStep;
using train::Severity;
using train::StepGraph;
using train::Task;

namespace {

using LossFunction = std::function<Tensor(const Tensor& predictions, const Tensor& targets)>;

// One recorded step on random inputs [rows, 8].
struct Recorded {
  Recorded(const nn::Layer& model, const LossFunction& loss_of, const Tensor& y, Task task, Index rows = 32)
      : graph(model.parameters()), targets(y), kind(task) {
    Rng rng(3);
    inputs = normal({rows, 8}, 0, 1, rng);
    Tape tape(Mode::train, {.seed = 1, .position = 0});
    tape.observe(&graph);
    predictions = model(inputs);
    loss = loss_of(predictions, targets);
    tape.observe(nullptr);
  }
  RecordedStep step() const { return {graph, loss, predictions, inputs, targets, kind}; }

  StepGraph graph;
  Tensor inputs, predictions, loss, targets;
  Task kind;
};

Tensor classes_of(Index rows = 32) {
  const Tensor y(Shape{rows});
  for (Index i = 0; i < rows; ++i) y.mutable_data()[i] = static_cast<Scalar>(i % 3);
  return y;
}
Tensor numbers_of(double low, double high, Index rows = 32) {
  const Tensor y({rows, 1});
  for (Index i = 0; i < rows; ++i)
    y.mutable_data()[i] = static_cast<Scalar>(low + (high - low) * static_cast<double>(i) / static_cast<double>(rows));
  return y;
}

nn::Sequential classifier(Rng& rng) {
  return nn::Sequential{nn::Linear{8, 16, rng}, nn::ReLU{}, nn::Linear{16, 3, rng}};
}
nn::Sequential regressor(Rng& rng) {
  return nn::Sequential{nn::Linear{8, 16, rng}, nn::ReLU{}, nn::Linear{16, 1, rng}};
}

LossFunction plain(Tensor (*loss)(const Tensor&, const Tensor&)) { return loss; }

struct Softmax : nn::Layer {
  Tensor forward(const Tensor& x) const override { return softmax(x); }
};
struct OwnSoftmax : nn::Layer {
  Tensor forward(const Tensor& x) const override {
    const Tensor e = exp(x);
    return e / sum(e, 1, true);
  }
};
struct LogSoftmax : nn::Layer {
  Tensor forward(const Tensor& x) const override { return log_softmax(x); }
};

std::size_t count_all(const RecordedStep& step) {
  const auto one = [](const auto& found) { return found.has_value() ? std::size_t{1} : 0; };
  return one(check_loss_input(step)) + one(check_output_range(step)) + check_dropout(step).size() +
         one(check_broadcast(step)) + one(check_loss_sign(step)) + check_linear_after_linear(step).size() +
         one(check_activation_twice(step)) + one(check_bottleneck(step)) + check_norms(step).size();
}

}  // namespace

TEST_CASE("no check of the structure reports a usual model") {
  Rng rng(1);
  const auto model = classifier(rng);
  CHECK(count_all(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step()) == 0);
  const auto other = regressor(rng);
  CHECK(count_all(Recorded(other, plain(mse_loss), numbers_of(-2, 2), Task::regression).step()) == 0);
  CHECK(count_all(Recorded(other, plain(binary_cross_entropy_with_logits), numbers_of(0, 1), Task::binary).step()) ==
        0);
  const nn::Sequential deep{nn::Linear{8, 16, rng, {.bias = false}},
                            nn::BatchNorm1d{16},
                            nn::GELU{},
                            nn::Dropout{0.5},
                            nn::Linear{16, 16, rng},
                            nn::Tanh{},
                            nn::LayerNorm{16},
                            nn::Linear{16, 3, rng}};
  CHECK(count_all(Recorded(deep, plain(cross_entropy), classes_of(), Task::multiclass).step()) == 0);
}

TEST_CASE("an activation before a loss that has its own is reported by the op and by its values") {
  Rng rng(1);
  const auto named = [&](auto layer, auto loss, const Tensor& y, Task task) {
    auto model = task == Task::binary ? regressor(rng) : classifier(rng);
    model.push_back(std::move(layer));
    const Recorded recorded(model, plain(loss), y, task);
    const auto found = check_loss_input(recorded.step());
    return found ? found->name + " " + found->where : std::string();
  };
  CHECK(named(Softmax{}, cross_entropy, classes_of(), Task::multiclass) == "activation_before_loss op 'softmax'");
  CHECK(named(OwnSoftmax{}, cross_entropy, classes_of(), Task::multiclass) == "activation_before_loss op 'div'");
  CHECK(named(nn::Sigmoid{}, cross_entropy, classes_of(), Task::multiclass) == "activation_before_loss op 'sigmoid'");
  CHECK(named(nn::ReLU{}, cross_entropy, classes_of(), Task::multiclass) == "activation_before_loss op 'relu'");
  CHECK(named(nn::Sigmoid{}, binary_cross_entropy_with_logits, numbers_of(0, 1), Task::binary) ==
        "activation_before_loss op 'sigmoid'");
  CHECK(named(LogSoftmax{}, cross_entropy, classes_of(), Task::multiclass).empty());
}

TEST_CASE("an output that cannot reach the targets is reported") {
  Rng rng(1);
  const auto named = [&](auto layer, double low, double high) {
    auto model = regressor(rng);
    model.push_back(std::move(layer));
    return check_output_range(Recorded(model, plain(mse_loss), numbers_of(low, high), Task::regression).step())
        .has_value();
  };
  CHECK(named(nn::ReLU{}, -1, 1));
  CHECK(!named(nn::ReLU{}, 0, 5));
  CHECK(named(nn::Softplus{}, -1, 1));
  CHECK(named(nn::Sigmoid{}, 0, 5));
  CHECK(!named(nn::Sigmoid{}, 0, 1));
  CHECK(named(nn::Tanh{}, -3, 3));
  CHECK(!named(nn::Tanh{}, -1, 1));
}

TEST_CASE("a dropout on the output and one that drops nearly everything are reported") {
  Rng rng(1);
  auto model = classifier(rng);
  model.push_back(nn::Dropout{0.2});
  const auto found = check_dropout(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step());
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "dropout_on_output");
  const nn::Sequential greedy{nn::Linear{8, 64, rng}, nn::ReLU{}, nn::Dropout{0.95}, nn::Linear{64, 3, rng}};
  const auto rate = check_dropout(Recorded(greedy, plain(cross_entropy), classes_of(), Task::multiclass).step());
  REQUIRE(rate.size() == 1);
  CHECK(rate[0].name == "dropout_too_high");
}

TEST_CASE("dropouts in several narrow layers are reported, in wide or few ones they are not") {
  Rng rng(1);
  const auto name = [&](double p, Index units, int layers) {
    nn::Sequential model;
    for (Index in = 8, layer = 0; layer < layers; ++layer, in = units) {
      model.push_back(nn::Linear{in, units, rng});
      model.push_back(nn::ReLU{});
      model.push_back(nn::Dropout{p});
    }
    model.push_back(nn::Linear{units, 3, rng});
    const auto found = check_dropout(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step());
    return found.empty() ? std::string() : found[0].name;
  };
  CHECK(name(0.6, 16, 4) == "dropout_too_high");
  CHECK(name(0.6, 64, 4) == "");
  CHECK(name(0.2, 16, 4) == "");
  CHECK(name(0.5, 16, 2) == "");
}

TEST_CASE("predictions and targets that are stretched to a square are reported") {
  Rng rng(1);
  const auto model = regressor(rng);
  const LossFunction careless = [](const Tensor& p, const Tensor& t) { return mean(square(p - reshape(t, {32}))); };
  const auto found = check_broadcast(Recorded(model, careless, numbers_of(-1, 1), Task::regression).step());
  REQUIRE(found);
  CHECK(found->evidence == "shapes [32, 1] and [32] were stretched to [32, 32]");
  const LossFunction careful = [](const Tensor& p, const Tensor& t) { return mean(square(p - t)); };
  CHECK(!check_broadcast(Recorded(model, careful, numbers_of(-1, 1), Task::regression).step()));
}

TEST_CASE("a loss with a minus sign is reported") {
  Rng rng(1);
  const auto model = classifier(rng);
  const LossFunction wrong = [](const Tensor& p, const Tensor& t) { return -cross_entropy(p, t); };
  CHECK(check_loss_sign(Recorded(model, wrong, classes_of(), Task::multiclass).step()));
  const LossFunction own = [](const Tensor& p, const Tensor&) { return -mean(square(p)); };  // may be meant
  CHECK(!check_loss_sign(Recorded(model, own, classes_of(), Task::multiclass).step()));
}

TEST_CASE("a factor on the loss and a penalty that outweighs it are reported") {
  Rng rng(1);
  const auto model = classifier(rng);
  const auto scaled = [&](double factor) {
    const LossFunction loss = [factor](const Tensor& p, const Tensor& t) { return cross_entropy(p, t) * factor; };
    return check_loss_scale(Recorded(model, loss, classes_of(), Task::multiclass).step()).has_value();
  };
  CHECK(scaled(1e-4));
  CHECK(scaled(1e4));
  CHECK(!scaled(0.5));
  CHECK(!scaled(32));  // a sum over the samples
  const auto penalised = [&](double factor) {
    const LossFunction loss = [&, factor](const Tensor& p, const Tensor& t) {
      return cross_entropy(p, t) + sum(square(model.parameters()[0].tensor)) * factor;
    };
    return check_regularisation(Recorded(model, loss, classes_of(), Task::multiclass).step()).has_value();
  };
  CHECK(penalised(10));
  CHECK(!penalised(1e-3));
}

TEST_CASE("many layers through which nothing gets are reported, and deep ones that work are not") {
  const auto found = [](int layers, auto activation, bool norm) {
    Rng rng(1);
    nn::Sequential model{nn::Linear{8, 32, rng}};
    for (int i = 2; i < layers; ++i) {
      model.push_back(decltype(activation){});
      if (norm) model.push_back(nn::LayerNorm{32});
      model.push_back(nn::Linear{32, 32, rng});
    }
    model.push_back(decltype(activation){});
    model.push_back(nn::Linear{32, 3, rng});
    return check_depth(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step()).has_value();
  };
  CHECK(found(8, nn::Sigmoid{}, false));
  CHECK(!found(8, nn::Sigmoid{}, true));
  CHECK(!found(6, nn::Tanh{}, false));
  CHECK(!found(4, nn::Sigmoid{}, false));
}

TEST_CASE("a linear layer after another is reported, unless it lowers the rank") {
  Rng rng(1);
  const auto count = [&](const nn::Sequential& model) {
    return check_linear_after_linear(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step())
        .size();
  };
  const nn::Sequential stacked{nn::Linear{8, 16, rng}, nn::Linear{16, 3, rng}};
  const nn::Sequential dropped{nn::Linear{8, 16, rng}, nn::Dropout{0.1}, nn::Linear{16, 3, rng}};
  const nn::Sequential low_rank{nn::Linear{8, 2, rng}, nn::Linear{2, 16, rng}, nn::ReLU{}, nn::Linear{16, 3, rng}};
  CHECK(count(stacked) == 1);
  CHECK(count(dropped) == 1);
  CHECK(count(low_rank) == 0);
  const nn::Sequential normed{nn::Linear{8, 16, rng}, nn::BatchNorm1d{16}, nn::Linear{16, 3, rng}};
  CHECK(count(normed) == 1);
}

TEST_CASE("ops between linear layers that give back what they read are reported") {
  struct Leaky : nn::Layer {
    explicit Leaky(double slope) : slope_(slope) {}
    Tensor forward(const Tensor& x) const override { return relu(x) - relu(x * -1.0) * slope_; }
    double slope_;
  };
  Rng rng(1);
  const auto count = [&](double slope) {
    const nn::Sequential model{nn::Linear{8, 16, rng}, Leaky(slope), nn::Linear{16, 3, rng}};
    return check_linear_after_linear(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step())
        .size();
  };
  CHECK(count(1) == 1);
  CHECK(count(0.1) == 0);
  const nn::Sequential all_on{nn::Linear{8, 16, rng}, nn::ReLU{}, nn::Linear{16, 3, rng}};
  for (Scalar& b : all_on.parameters()[1].tensor.mutable_span()) b = 100;
  CHECK(check_linear_after_linear(Recorded(all_on, plain(cross_entropy), classes_of(), Task::multiclass).step())
            .empty());  // a fault of the bias
}

TEST_CASE("predictions that are divided by their length are reported") {
  struct Divided : nn::Layer {
    explicit Divided(bool each_row) : each_row_(each_row) {}
    Tensor forward(const Tensor& x) const override {
      return each_row_ ? x / sqrt(sum(square(x), 1, true) + 1e-9) : x / sqrt(mean(square(x)) + 1e-9);
    }
    bool each_row_;
  };
  Rng rng(1);
  const auto count = [&](bool each_row) {
    const nn::Sequential model{nn::Linear{8, 16, rng}, nn::ReLU{}, nn::Linear{16, 3, rng}, Divided(each_row)};
    return check_norms(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step()).size();
  };
  CHECK(count(true) == 1);
  CHECK(count(false) == 0);
}

TEST_CASE("a linear layer before residual blocks is not reported, one in a block without activation is") {
  struct Residual : nn::Layer {
    Residual(Rng& rng, bool is_bent)
        : first(add("first", nn::Linear{16, 16, rng})),
          second(add("second", nn::Linear{16, 16, rng})),
          bends(is_bent) {}
    Tensor forward(const Tensor& x) const override { return x + second(bends ? relu(first(x)) : first(x)); }
    nn::Linear &first, &second;
    bool bends;
  };
  Rng rng(1);
  const auto count = [&](bool bends) {
    const nn::Sequential model{nn::Linear{8, 16, rng}, Residual(rng, bends), nn::ReLU{}, nn::Linear{16, 3, rng}};
    return check_linear_after_linear(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step())
        .size();
  };
  CHECK(count(true) == 0);
  CHECK(count(false) == 1);
}

TEST_CASE("two activations in a row are a warning, and a note when the second is a relu, which changes little") {
  Rng rng(1);
  const auto found = [&](auto a, auto b) {
    const nn::Sequential model{nn::Linear{8, 16, rng}, std::move(a), std::move(b), nn::Linear{16, 3, rng}};
    return check_activation_twice(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step());
  };
  const auto twice = found(nn::Sigmoid{}, nn::Sigmoid{}), relus = found(nn::ReLU{}, nn::ReLU{});
  REQUIRE((twice && relus && found(nn::ReLU{}, nn::Tanh{})));
  CHECK(twice->severity == train::Severity::warning);
  CHECK(relus->severity == train::Severity::note);
}

TEST_CASE("a hidden layer that is too narrow for the classes is reported") {
  Rng rng(1);
  const nn::Sequential narrow{nn::Linear{8, 1, rng}, nn::Tanh{}, nn::Linear{1, 3, rng}};
  CHECK(check_bottleneck(Recorded(narrow, plain(cross_entropy), classes_of(), Task::multiclass).step()));
  const nn::Sequential two{nn::Linear{8, 2, rng}, nn::ReLU{}, nn::Linear{2, 1, rng}};
  CHECK(check_bottleneck(Recorded(two, plain(mse_loss), numbers_of(0, 1), Task::regression).step()));
  const nn::Sequential four{nn::Linear{8, 4, rng}, nn::ReLU{}, nn::Linear{4, 1, rng}};
  CHECK(!check_bottleneck(Recorded(four, plain(mse_loss), numbers_of(0, 1), Task::regression).step()));
  const nn::Sequential low_rank{nn::Linear{8, 2, rng}, nn::Linear{2, 1, rng}};  // no activation, so it is meant
  CHECK(!check_bottleneck(Recorded(low_rank, plain(mse_loss), numbers_of(0, 1), Task::regression).step()));
  // What stands behind the last linear layer does not make it a hidden one.
  const nn::Sequential normed{nn::Linear{8, 16, rng}, nn::ReLU{}, nn::Linear{16, 1, rng}, nn::LayerNorm{1}};
  CHECK(!check_bottleneck(Recorded(normed, plain(mse_loss), numbers_of(0, 1), Task::regression).step()));
  const nn::Sequential linear{nn::Linear{8, 3, rng}};
  CHECK(!check_bottleneck(Recorded(linear, plain(cross_entropy), classes_of(), Task::multiclass).step()));
}

TEST_CASE("a norm over two units, and a fixed matrix before the first layer, are bottlenecks") {
  struct Fixed : nn::Layer {
    explicit Fixed(Index columns) : matrix(Tensor::full({8, columns}, Scalar(0.25))) {}
    Tensor forward(const Tensor& x) const override { return matmul(x, matrix); }
    Tensor matrix;
  };
  Rng rng(1);
  const auto found = [](const nn::Layer& model) {
    return check_bottleneck(Recorded(model, plain(cross_entropy), classes_of(), Task::multiclass).step());
  };
  const nn::Sequential two{nn::Linear{8, 2, rng}, nn::LayerNorm{2}, nn::Linear{2, 16, rng}, nn::ReLU{},
                           nn::Linear{16, 3, rng}};
  REQUIRE(found(two));
  CHECK(found(two)->severity == train::Severity::warning);
  const nn::Sequential pooled{Fixed{2}, nn::Linear{2, 16, rng}, nn::ReLU{}, nn::Linear{16, 3, rng}};
  REQUIRE(found(pooled));
  CHECK(found(pooled)->evidence == "a fixed matrix makes 2 of the 8 columns of the inputs");
  CHECK(found(pooled)->severity == train::Severity::note);
  const nn::Sequential wide{Fixed{6}, nn::Linear{6, 16, rng}, nn::LayerNorm{16}, nn::ReLU{}, nn::Linear{16, 3, rng}};
  CHECK_FALSE(found(wide));
}

TEST_CASE("what a loss reads of the predictions through detach() is found") {
  Rng rng(1);
  const auto model = classifier(rng);
  const auto detaches = [&](const LossFunction& loss) {
    return detaches_predictions(Recorded(model, loss, classes_of(), Task::multiclass).step());
  };
  CHECK(detaches([](const Tensor& y, const Tensor& t) { return cross_entropy(y, t) + mean(y.detach() * y); }));
  CHECK(detaches([](const Tensor& y, const Tensor&) {
    const Tensor p = softmax(y);
    return mean(p * exp(p.detach()));
  }));
  CHECK_FALSE(detaches(plain(cross_entropy)));
  CHECK_FALSE(detaches([](const Tensor& y, const Tensor& t) { return cross_entropy(y * 2.0, t) + mean(square(y)); }));
}

TEST_CASE("a mean over the units that leaves a layer one number is reported") {
  struct Mean : nn::Layer {
    Tensor forward(const Tensor& x) const override { return mean(x, 1, true); }
  };
  Rng rng(1);
  const nn::Sequential lost{nn::Linear{8, 48, rng}, nn::ReLU{}, Mean{}, nn::Linear{1, 3, rng}};
  const auto found = check_bottleneck(Recorded(lost, plain(cross_entropy), classes_of(), Task::multiclass).step());
  REQUIRE(found);
  CHECK(found->name == "bottleneck");
  const nn::Sequential one_column{nn::Linear{8, 1, rng}};
  CHECK(!check_bottleneck(Recorded(one_column, plain(mse_loss), numbers_of(0, 1), Task::regression).step()));
}

TEST_CASE("a norm on the output and one over a few samples are reported") {
  Rng rng(1);
  auto normed = classifier(rng);
  normed.push_back(nn::LayerNorm{3});
  const auto one = check_norms(Recorded(normed, plain(cross_entropy), classes_of(), Task::multiclass).step());
  REQUIRE(one.size() == 1);
  CHECK(one[0].name == "norm_on_output");
  const nn::Sequential few{nn::Linear{8, 16, rng, {.bias = false}}, nn::BatchNorm1d{16}, nn::ReLU{},
                           nn::Linear{16, 3, rng}};
  const auto other = check_norms(Recorded(few, plain(cross_entropy), classes_of(4), Task::multiclass, 4).step());
  REQUIRE(other.size() == 1);
  CHECK(other[0].name == "small_batch_norm");
}

TEST_CASE("a bias that batch norm removes and a dropout before it are told") {
  Rng rng(1);
  const nn::Sequential bias{nn::Linear{8, 16, rng}, nn::BatchNorm1d{16}, nn::ReLU{}, nn::Linear{16, 3, rng}};
  CHECK(useless_biases(Recorded(bias, plain(cross_entropy), classes_of(), Task::multiclass).step()) == "0");
  const nn::Sequential dropout{nn::Linear{8, 16, rng}, nn::ReLU{}, nn::Dropout{0.2}, nn::BatchNorm1d{16},
                               nn::Linear{16, 3, rng}};
  const auto found = check_norms(Recorded(dropout, plain(cross_entropy), classes_of(), Task::multiclass).step());
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "dropout_before_norm");
  CHECK(found[0].severity == Severity::note);
}

TEST_CASE("a logarithm of probabilities that are nearly 0 is reported") {
  Rng rng(1);
  const auto model = classifier(rng);
  const auto log_of = [](double factor) -> LossFunction {
    return [factor](const Tensor& y, const Tensor&) { return -1.0 * mean(log(softmax(y * factor))); };
  };
  const auto found = check_logarithm(Recorded(model, log_of(200), classes_of(), Task::multiclass).step());
  REQUIRE(found);
  CHECK(found->name == "non_finite");
  CHECK(!check_logarithm(Recorded(model, log_of(1), classes_of(), Task::multiclass).step()));
}
