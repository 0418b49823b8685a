// Initial weights, of the part `variants`.
#include <algorithm>

#include "variants/variants.h"

namespace faulty_runs {
namespace {

void fill(const Tensor& x, double value) { std::ranges::fill(x.mutable_span(), static_cast<Scalar>(value)); }
std::function<void(const Tensor&, Rng&)> normal_with(double deviation) {
  return [deviation](const Tensor& w, Rng& rng) { nn::init::normal(w, rng, 0, deviation); };
}

}  // namespace

std::vector<Fault> initial_variants() {
  return {
      {"weights_of_one_over_n",
       "every weight of a tanh network starts at 1 / n for n inputs of its layer",
       {"equal_units"},
       [](Program& p) {
         p.activation = Act::tanh;
         p.change_weights("weight", [](const Tensor& w, Rng&) { fill(w, 1 / static_cast<double>(w.shape()[0])); });
         p.change_weights("bias", [](const Tensor& b, Rng&) { fill(b, 0); });
       }},
      {"buffers_of_zeros_for_weights",
       "all weights and biases of a tanh network are allocated as zeros and never drawn",
       {"zero_weights", "equal_units"},
       [](Program& p) {
         p.activation = Act::tanh;
         for (const char* all : {"weight", "bias"}) p.change_weights(all, [](const Tensor& w, Rng&) { fill(w, 0); });
       }},
      {"one_seed_for_all_units",
       "the generator is seeded anew for each unit, so that all units of a layer have equal weights, and the last "
       "layer "
       "starts at 0.05",
       {"equal_units"},
       [](Program& p) {
         p.hidden = {32};
         p.change_model([](nn::Sequential& model, Rng&) {
           const std::vector<Parameter> all = model.parameters();
           const Tensor& w = all.front().tensor;
           const Index units = w.shape()[1];
           for (Index i = 0; i < w.size(); ++i) w.mutable_data()[i] = w.data()[i / units * units];
           fill(all[1].tensor, 0);
           fill(all[2].tensor, 0.05);
         });
       }},
      {"xavier_with_a_gain_of_20",
       "all weights are drawn by xavier_normal with a gain of 20",
       {"initial_loss", "exploding_activations"},
       [](Program& p) {
         p.change_weights("weight", [](const Tensor& w, Rng& rng) { nn::init::xavier_normal(w, rng, 20); });
       }},
      {"deviation_of_one_thousandth",
       "the weights of four tanh layers are normal with a deviation of 0.001",
       {"vanishing_activations", "vanishing_gradient"},
       [](Program& p) {
         p.hidden = {32, 32, 32, 32};
         p.activation = Act::tanh;
         p.change_weights("weight", normal_with(1e-3));
       }},
      {"sigmoid_units_at_their_limits",
       "sigmoid units whose weights are normal with a deviation of 8",
       {"saturated_units", "exploding_activations"},
       [](Program& p) {
         p.activation = Act::sigmoid;
         p.change_weights("0.weight", normal_with(8));
         p.change_weights("2.weight", normal_with(8));
       }},
      {"bias_of_minus_four_in_the_second_layer",
       "the biases of the second hidden layer start at -4, copied from a gate that is to begin closed",
       {"dead_at_start"},
       [](Program& p) {
         p.hidden = {32, 32};
         p.change_weights("2.bias", [](const Tensor& b, Rng&) { fill(b, -4); });
       }},
      {"large_weights_before_a_norm",
       "weights 300 times too large stand before batch norms, so that an update hardly changes them",
       {"exploding_activations", "lr_too_low", "not_trained"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 24, rng},
                                nn::BatchNorm1d{24},
                                nn::ReLU{},
                                nn::Linear{24, 24, rng},
                                nn::BatchNorm1d{24},
                                nn::ReLU{},
                                nn::Linear{24, q.outputs, rng}};
           for (const char* layer : {"0.weight", "3.weight"}) each_weight(model, layer, [](Scalar& w) { w *= 300; });
           return model;
         };
       }},
  };
}

}  // namespace faulty_runs
