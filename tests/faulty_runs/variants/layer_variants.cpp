// Dropout, norms, and training that differs from use, of the part `variants`.
#include "variants/variants.h"

namespace faulty_runs {
namespace {

using Norm = nn::BatchNormOptions;

// A module of the user's whose dropout is a call in its forward pass.
struct WithDropout : nn::Layer {
  WithDropout(nn::Sequential body, double share) : inner(add("body", std::move(body))), p(share) {}
  Tensor forward(const Tensor& x) const override { return dropout(inner(x), p); }
  nn::Sequential& inner;
  double p;
};

// Two hidden layers of 32 units, each with a batch norm before its ReLU.
nn::Sequential two_norms(const Program& p, Rng& rng, Norm options = {}, nn::LinearOptions linear = {.bias = false}) {
  return nn::Sequential{nn::Linear{p.train.columns(), 32, rng, linear},
                        nn::BatchNorm1d{32, options},
                        nn::ReLU{},
                        nn::Linear{32, 32, rng, linear},
                        nn::BatchNorm1d{32, options},
                        nn::ReLU{},
                        nn::Linear{32, p.outputs, rng}};
}

}  // namespace

std::vector<Fault> layer_variants() {
  return {
      {"dropout_call_of_0_9",
       "a module calls dropout with 0.9 after its second hidden layer: it wanted to keep 0.9",
       {"dropout_too_high"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}, nn::ReLU{}};
           model.push_back(WithDropout(nn::Sequential{nn::Linear{32, 32, rng}, nn::ReLU{}}, 0.9));
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
      {"dropout_call_around_the_whole_model",
       "a module calls dropout with 0.7 on what its last layer gives",
       {"dropout_on_output"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model;
           model.push_back(WithDropout(mlp(q.widths(), rng), 0.7));
           return model;
         };
       }},
      {"dropout_of_one_block_before_the_norm_of_the_next",
       "dropout of 0.6 ends each block, and the next one begins with a batch norm",
       {"dropout_before_norm"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}, nn::ReLU{}};
           for (int block = 0; block < 2; ++block) {
             model.push_back(nn::Dropout{0.6});
             model.push_back(nn::BatchNorm1d{32});
             model.push_back(nn::Linear{32, 32, rng});
             model.push_back(nn::ReLU{});
           }
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
      {"biases_before_two_norms",
       "both hidden layers have a bias and then a batch norm",
       {"useless_bias"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) { return two_norms(q, rng, {}, {.bias = true}); };
       }},
      {"batches_of_three_with_norms",
       "the memory only allows batches of 3, and the model has two batch norms",
       {"small_batch_norm"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) { return two_norms(q, rng); };
         p.options.batch_size = 3;
         p.options.epochs = (p.options.epochs + 4) / 5;
       }},
      {"last_batch_of_one_row",
       "the last batch of each epoch has one row, and the model has batch norms of momentum 0.5",
       {"small_batch_norm"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) { return two_norms(q, rng, {.momentum = 0.5}); };
         p.options.batch_size = 32;
         p.train = pick(p.train, numbers((p.train.rows() - 1) / 32 * 32 + 1));
       },
       any,
       {"batch norm", "batch_norm"}},
      {"momentum_and_eps_exchanged",
       "raw inputs go through a batch norm whose momentum and eps are exchanged: 1e-5 and 0.1",
       {"train_eval_gap", "batch_norm_momentum"},
       [](Program& p) {
         p.everywhere([](Table& t) { t.x = t.x * 4.0 + 6.0; });
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::BatchNorm1d{q.train.columns(), {.momentum = 1e-5, .eps = 0.1}}};
           model.push_back(mlp(q.widths(), rng));
           return model;
         };
       }},
      {"noise_layer_that_is_always_on",
       "a layer adds normal noise of deviation 2 to the hidden units, in evaluation too",
       {"random_evaluation", "train_eval_gap"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           const auto own = std::make_shared<Rng>(q.seed + 80);
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}};
           model.push_back(Lambda([own](const Tensor& h) { return relu(h + normal(h.shape(), 0, 2, *own)); }));
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
      {"square_roots_in_training_only",
       "training_step takes the square roots of the raw inputs, and predict_step forgets that",
       {"train_eval_gap"},
       [](Program& p) {
         p.everywhere([](Table& t) { t.x = square(t.x + 4.0); });
         p.overrides.training_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(sqrt(batch.inputs) - 4.0);
           return train::StepOutput{.loss = loss(outputs, batch.targets), .predictions = outputs};
         };
         p.overrides.validation_step = p.overrides.training_step;
       }},
  };
}

}  // namespace faulty_runs
