// The shape of a model and its initial weights.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

std::function<nn::Sequential(const Program&, Rng&)> with_widths(const std::vector<Index>& hidden, Act activation) {
  return [hidden, activation](const Program& p, Rng& rng) {
    std::vector<Index> widths{p.train.columns()};
    widths.insert(widths.end(), hidden.begin(), hidden.end());
    widths.push_back(p.outputs);
    return mlp(widths, rng, activation);
  };
}

// A linear layer, an activation twice, and the output.
nn::Sequential twice(const Program& p, Rng& rng, Act activation) {
  nn::Sequential model{nn::Linear{p.train.columns(), 32, rng}};
  push(model, activation);
  push(model, activation);
  model.push_back(nn::Linear{32, p.outputs, rng});
  return model;
}

void fill(const Tensor& x, double value) {
  for (Scalar& w : x.mutable_span()) w = static_cast<Scalar>(value);
}
void multiply(const Tensor& x, double factor) {
  for (Scalar& w : x.mutable_span()) w = static_cast<Scalar>(factor * static_cast<double>(w));
}

}  // namespace

std::vector<Fault> model_faults() {
  return {
      {"no_activations",
       "the activations between linear layers are forgotten",
       {"linear_after_linear"},
       [](Program& p) { p.activation = Act::none; }},
      {"activation_forgotten_once",
       "one activation is forgotten",
       {"linear_after_linear"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           return nn::Sequential{nn::Linear{q.train.columns(), 48, rng}, nn::Linear{48, 32, rng}, nn::ReLU{},
                                 nn::Linear{32, q.outputs, rng}};
         };
       }},
      {"sigmoid_twice",
       "the hidden layer has two sigmoids in a row",
       {"activation_twice"},
       [](Program& p) { p.make_model = [](const Program& q, Rng& rng) { return twice(q, rng, Act::sigmoid); }; }},
      {"relu_twice",
       "the hidden layer has two ReLUs in a row",
       {"activation_twice"},
       [](Program& p) { p.make_model = [](const Program& q, Rng& rng) { return twice(q, rng, Act::relu); }; }},
      {"bottleneck_of_one",
       "a layer in the middle has one unit",
       {"bottleneck", "model_too_small"},
       [](Program& p) {
         p.make_model = with_widths({32, 1, 32}, Act::relu);
       }},
      {"two_hidden_units",
       "the only hidden layer has two units",
       {"bottleneck", "model_too_small"},
       [](Program& p) { p.make_model = with_widths({2}, Act::relu); }},
      {"model_far_too_large",
       "three hidden layers of 512 units for a few hundred rows",
       {"model_too_large", "overfitting"},
       [](Program& p) {
         p.make_model = with_widths({512, 512, 512}, Act::relu);
         p.train = pick(p.train, numbers(std::min<Index>(p.train.rows(), 200)));
         p.options.epochs = 10;
       }},
      {"sixteen_relu_layers",
       "16 hidden layers without a norm or a residual",
       {"too_deep", "vanishing_gradient", "vanishing_activations"},
       [](Program& p) { p.make_model = with_widths(std::vector<Index>(16, 32), Act::relu); }},
      {"eight_sigmoid_layers",
       "8 hidden layers with sigmoids",
       {"too_deep", "vanishing_gradient", "saturated_units"},
       [](Program& p) { p.make_model = with_widths(std::vector<Index>(8, 32), Act::sigmoid); }},
      {"deep_residual_grows",
       "ten residual blocks of which each doubles its input",
       {"exploding_activations", "initial_loss", "too_deep"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}};
           for (int block = 0; block < 10; ++block)
             model.push_back(Lambda([](const Tensor& x) { return x + relu(x) + x; }));
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
      {"zero_weights",
       "all weights start at zero",
       {"equal_units", "zero_weights"},
       [](Program& p) { p.change_weights("weight", [](const Tensor& w, Rng&) { fill(w, 0); }); }},
      {"equal_weights",
       "all weights start at 0.1",
       {"equal_units"},
       [](Program& p) { p.change_weights("weight", [](const Tensor& w, Rng&) { fill(w, 0.1); }); }},
      {"weights_too_large",
       "initial weights are 30 times too large",
       {"initial_loss", "exploding_activations", "saturated_units"},
       [](Program& p) { p.change_weights("weight", [](const Tensor& w, Rng&) { multiply(w, 30); }); }},
      {"weights_too_small",
       "initial weights are 1000 times too small",
       {"vanishing_activations", "vanishing_gradient"},
       [](Program& p) { p.change_weights("weight", [](const Tensor& w, Rng&) { multiply(w, 1e-3); }); }},
      {"uniform_0_to_1",
       "initial weights are uniform in [0, 1], as rand() gives them",
       {"initial_loss", "exploding_activations"},
       [](Program& p) {
         p.change_weights("weight", [](const Tensor& w, Rng& rng) { nn::init::uniform(w, rng, 0, 1); });
       }},
      {"saturated_tanh",
       "tanh units whose initial weights are 50 times too large",
       {"saturated_units", "exploding_activations"},
       [](Program& p) {
         p.activation = Act::tanh;
         p.change_weights("0.weight", [](const Tensor& w, Rng&) { multiply(w, 50); });
       }},
      {"dead_by_bias",
       "the biases of the first layer start at -30",
       {"dead_at_start"},
       [](Program& p) { p.change_weights("0.bias", [](const Tensor& b, Rng&) { fill(b, -30); }); }},
      {"dead_by_negative_weights",
       "the weights of all ReLU layers but the first are negative",
       {"dead_at_start"},
       [](Program& p) {
         p.hidden = {32, 32};
         p.change_weights("2.weight", [](const Tensor& w, Rng&) {
           for (Scalar& v : w.mutable_span()) v = -2 * std::abs(v) - Scalar(0.1);
         });
       }},
      {"unregistered_layer",
       "a layer is a plain member of its module",
       {"unregistered"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           const auto first = std::make_shared<nn::Linear>(q.train.columns(), 32, rng);
           nn::Sequential model{Lambda([first](const Tensor& x) { return (*first)(x); })};
           model.push_back(nn::ReLU{});
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
      {"layer_made_in_forward",
       "forward makes a new layer with random weights each time",
       {"unregistered", "weights_overwritten"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           const auto own = std::make_shared<Rng>(q.seed + 5);
           nn::Sequential model{Lambda([own](const Tensor& x) { return nn::Linear(x.shape().cols(), 32, *own)(x); })};
           model.push_back(nn::ReLU{});
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
      {"unused_layer",
       "a layer is registered and never used",
       {"unreached"},
       [](Program& p) {
         p.change_model([](nn::Sequential& model, Rng& rng) {
           struct Unused : nn::Layer {
             explicit Unused(Rng& r) : layer(add("layer", nn::Linear{8, 8, r})) {}
             Tensor forward(const Tensor& x) const override { return x; }
             nn::Linear& layer;
           };
           model.push_back(Unused(rng));
         });
       }},
      {"wrong_width",
       "a layer takes another width than the one before gives",
       {"shape_mismatch"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           return nn::Sequential{nn::Linear{q.train.columns(), 32, rng}, nn::ReLU{}, nn::Linear{33, q.outputs, rng}};
         };
       },
       any,
       {"linear: want x"},
       Harm::score,
       false,
       true},
      {"inputs_ignored",
       "a constant takes the place of the inputs",
       {"inputs_ignored"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{Lambda([](const Tensor& x) { return x * 0.0; })};
           model.push_back(mlp(q.widths(), rng));
           return model;
         };
       }},
      {"most_inputs_ignored",
       "the model uses its first column only: an index is wrong",
       {"inputs_ignored"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           const Tensor mask = Tensor::zeros({1, q.train.columns()});
           mask.mutable_data()[0] = 1;
           nn::Sequential model{Lambda([mask](const Tensor& x) { return x * mask; })};
           model.push_back(mlp(q.widths(), rng));
           return model;
         };
       }},
      {"batch_mean_in_model",
       "the model subtracts the mean of the batch from its hidden units, also in evaluation",
       {"rows_mixed"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}};
           model.push_back(Lambda([](const Tensor& x) { return relu(mean(x, 0, true) * 3.0 + x * 0.3); }));
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
  };
}

}  // namespace faulty_runs
