// Models and their first weights, of the part `unseen`.
#include <algorithm>

#include "unseen/unseen.h"

namespace faulty_runs {

std::vector<Fault> unseen_models() {
  return {
      {"u_softmax_between_layers",
       "a softmax over the 40 units follows each hidden layer, as in a model that was copied from a classifier",
       {"vanishing_activations", "vanishing_gradient"},
       [](Program& p) { with_activation(p, [](const Tensor& h) { return softmax(h); }); }},
      {"u_step_function",
       "hidden units are 1 where their input is above 0 and else 0, as in the first perceptrons",
       {"zero_gradient", "unreached", "vanishing_gradient"},
       [](Program& p) {
         with_activation(p, [](const Tensor& h) {
           const Tensor on(h.shape());
           for (Index i = 0; i < h.size(); ++i) on.mutable_data()[i] = h.data()[i] > 0 ? 1 : 0;
           return on + h * 0.0;
         });
       }},
      {"u_hard_sigmoid_of_large_slope",
       "hidden units are clamped to [0, 1] after a slope of 20, so that nearly all are at a limit",
       {"saturated_units", "zero_gradient", "dead_at_start", "vanishing_gradient"},
       [](Program& p) { with_activation(p, [](const Tensor& h) { return clamp(h * 20.0 + 0.5, 0, 1); }); }},
      {"u_leaky_slope_of_one",
       "the slope of a leaky ReLU below 0 was typed as 1, where 0.1 was meant",
       {"linear_after_linear", "model_too_small"},
       [](Program& p) { with_activation(p, [](const Tensor& h) { return relu(h) - relu(h * -1.0) * 1.0; }); }},
      {"u_biases_of_ten",
       "hidden biases start between 0 and 20, so that no ReLU is ever off and the outputs are far too large",
       {"initial_loss", "exploding_activations"},
       [](Program& p) {
         p.change_model([](nn::Sequential& model, Rng& rng) {
           const std::vector<Parameter> all = model.parameters();
           for (std::size_t i = 1; i + 2 < all.size(); i += 2) nn::init::uniform(all[i].tensor, rng, 0, 20);
         });
       }},
      {"u_widened_by_copying",
       "a model of three units a layer was made 16 times wider by copying each unit, without any noise",
       {"equal_units", "model_too_small", "bottleneck"},
       [](Program& p) {
         p.hidden = {48, 48};
         p.change_model([](nn::Sequential& model, Rng&) {
           const std::vector<Parameter> all = model.parameters();
           for (std::size_t l = 0; l < all.size(); ++l) {
             const Tensor& w = all[l].tensor;
             const Tensor old = w.clone();
             const bool bias = l % 2 == 1;
             const Index columns = bias ? w.size() : w.shape()[1];
             const Index units = columns == 48 ? 3 : columns;
             for (Index i = 0; i < w.size(); ++i) {
               const Index row = i / columns, from = bias || l == 0 ? row : row % 3;
               w.mutable_data()[i] = old.data()[from * columns + i % columns % units];
             }
           }
         });
       }},
  };
}

}  // namespace faulty_runs
