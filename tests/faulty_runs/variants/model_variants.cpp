// The shape of a model, of the part `variants`.
#include "variants/variants.h"

namespace faulty_runs {
namespace {

// x + W2 a(W1 x) as a module of the user's.
struct Residual : nn::Layer {
  Residual(Index units, Rng& rng, std::function<Tensor(const Tensor&)> between)
      : first(add("first", nn::Linear{units, units, rng})),
        second(add("second", nn::Linear{units, units, rng})),
        activation(std::move(between)) {}
  Tensor forward(const Tensor& x) const override { return x + second(activation(first(x))); }
  nn::Linear &first, &second;
  std::function<Tensor(const Tensor&)> activation;
};

// What a loop over the widths makes when each layer gets its activation, then a linear output.
nn::Sequential blocks(const Program& p, const std::vector<Index>& hidden, Rng& rng,
                      const std::function<void(nn::Sequential&, Index units)>& after) {
  nn::Sequential model;
  Index in = p.train.columns();
  for (const Index units : hidden) {
    model.push_back(nn::Linear{in, units, rng});
    after(model, units);
    in = units;
  }
  model.push_back(nn::Linear{in, p.outputs, rng});
  return model;
}

}  // namespace

std::vector<Fault> model_variants() {
  return {
      {"norm_in_place_of_activation",
       "each hidden layer has a batch norm and no activation",
       {"linear_after_linear"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           return blocks(q, {48, 48}, rng,
                         [](nn::Sequential& model, Index units) { model.push_back(nn::BatchNorm1d{units}); });
         };
       }},
      {"residual_blocks_without_activation",
       "three residual blocks of two linear layers, whose activation was taken out",
       {"linear_after_linear"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}};
           for (int block = 0; block < 3; ++block)
             model.push_back(Residual(32, rng, [](const Tensor& h) { return h; }));
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
      {"activation_in_and_after_the_block",
       "a block ends in a sigmoid, and the model adds another one after each of three blocks",
       {"activation_twice"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           return blocks(q, {32, 32, 32}, rng, [](nn::Sequential& model, Index) {
             model.push_back(nn::Sequential{nn::Sigmoid{}});
             model.push_back(nn::Sigmoid{});
           });
         };
       }},
      {"one_unit_before_the_classes",
       "the last hidden layer has one unit, for all classes",
       {"bottleneck", "model_too_small"},
       [](Program& p) {
         p.hidden = {64, 1};
       },
       multiclass},
      {"three_hidden_units",
       "the only hidden layer has three units",
       {"model_too_small", "bottleneck"},
       [](Program& p) { p.hidden = {3}; }},
      {"no_hidden_layer", "the model is a single linear layer", {"model_too_small"}, [](Program& p) { p.hidden = {}; }},
      {"thousand_units_for_150_rows",
       "two hidden layers of 800 units without decay for 150 rows",
       {"model_too_large", "overfitting", "small_training_set"},
       [](Program& p) {
         p.hidden = {800, 800};
         p.train = pick(p.train, numbers(150));
         p.options.weight_decay = train::off;
         p.options.epochs = 20;
       }},
      {"twenty_four_narrow_relu_layers",
       "24 hidden layers of 20 units with ReLU",
       {"too_deep", "vanishing_gradient", "vanishing_activations", "dead_at_start", "dead_units"},
       [](Program& p) { p.hidden = std::vector<Index>(24, 20); }},
      {"doubling_residual_stream",
       "24 residual blocks without a norm or a scale, after which the outputs are far too large",
       {"exploding_activations", "initial_loss", "too_deep"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}};
           for (int block = 0; block < 24; ++block)
             model.push_back(Residual(32, rng, [](const Tensor& h) { return relu(h) * 2.0; }));
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
  };
}

}  // namespace faulty_runs
