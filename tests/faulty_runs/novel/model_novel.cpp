// Models and their first weights, of the part `novel`.
#include "novel/novel.h"

namespace faulty_runs {

std::vector<Fault> novel_models() {
  return {
      {"n_squares_in_four_layers",
       "the activation of four hidden layers is a square",
       {"exploding_activations", "initial_loss", "too_deep"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}};
           for (int layer = 0; layer < 4; ++layer) {
             model.push_back(Lambda([](const Tensor& h) { return square(h); }));
             model.push_back(nn::Linear{32, layer < 3 ? 32 : q.outputs, rng});
           }
           return model;
         };
       }},
      {"n_units_clipped_at_a_hundredth",
       "hidden units are clipped to [-0.01, 0.01], limits of another unit, so that nearly all are at one",
       {"saturated_units", "zero_gradient", "vanishing_activations", "vanishing_gradient"},
       [](Program& p) { with_activation(p, [](const Tensor& h) { return clamp(h, -0.01, 0.01); }); }},
      {"n_threshold_of_four",
       "hidden units are what their inputs have above 4, a threshold for counts, so that nearly all are 0",
       {"dead_at_start", "vanishing_activations", "vanishing_gradient", "zero_gradient"},
       [](Program& p) { with_activation(p, [](const Tensor& h) { return relu(h - 4.0); }); }},
      {"n_columns_pooled_before_the_model",
       "a pooling layer of a model for signals begins the model: the mean of each four columns is all that is left",
       {"bottleneck", "inputs_ignored", "model_too_small"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           const Index pools = (q.train.columns() + 3) / 4;
           const Tensor pool = Tensor::zeros({q.train.columns(), pools});
           for (Index j = 0; j < q.train.columns(); ++j) at(pool, j, j / 4) = Scalar(0.25);
           nn::Sequential model{Lambda([pool](const Tensor& x) { return matmul(x, pool); })};
           model.push_back(mlp({pools, 48, 32, q.outputs}, rng));
           return model;
         };
       }},
      {"n_layer_norm_of_two_units",
       "a layer norm follows a layer of two units, and leaves hardly more than which of the two is larger",
       {"bottleneck", "norm_on_output", "model_too_small"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{mlp({q.train.columns(), 48, 2}, rng), nn::LayerNorm{2}};
           model.push_back(mlp({2, 16, q.outputs}, rng));
           return model;
         };
       }},
      {"n_last_layer_of_deviation_five",
       "the weights of the last layer start with a deviation of 5, as the default of the function that draws them is "
       "for another one",
       {"initial_loss", "exploding_activations"},
       [](Program& p) {
         p.change_model([](nn::Sequential& model, Rng& rng) {
           const std::vector<Parameter> all = model.parameters();
           nn::init::normal(all[all.size() - 2].tensor, rng, 0, 5);
         });
       }},
      {"n_standardize_fitted_on_two_rows",
       "raw inputs go through a Standardize that was fitted on a sample of two rows",
       {"input_scale", "outliers", "exploding_activations", "initial_loss"},
       [](Program& p) {
         p.everywhere([](Table& t) { t.x = t.x * 7.0 + 30.0; });
         p.make_model = [before = p.make_model](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Standardize::fit(pick(q.train, numbers(2)).x)};
           model.push_back(before ? before(q, rng) : mlp(q.widths(), rng, q.activation));
           return model;
         };
       }},
  };
}

}  // namespace faulty_runs
