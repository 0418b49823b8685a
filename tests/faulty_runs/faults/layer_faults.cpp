// Dropout, norms, and models that differ between training and evaluation.
#include "faults/fault.h"

namespace faulty_runs {
namespace {

using Build = std::function<void(nn::Sequential&)>;

// A linear layer of 48 units, `before`, ReLU, `after`, and a linear layer to the outputs.
std::function<nn::Sequential(const Program&, Rng&)> one_hidden(const Build& before, const Build& after) {
  return [before, after](const Program& p, Rng& rng) {
    nn::Sequential model{nn::Linear{p.train.columns(), 48, rng}};
    before(model);
    model.push_back(nn::ReLU{});
    after(model);
    model.push_back(nn::Linear{48, p.outputs, rng});
    return model;
  };
}

void nothing(nn::Sequential&) {}
Build dropout_layer(double p) {
  return [p](nn::Sequential& model) { model.push_back(nn::Dropout{p}); };
}
Build batch_norm_layer(nn::BatchNormOptions options = {}) {
  return [options](nn::Sequential& model) { model.push_back(nn::BatchNorm1d{48, options}); };
}

}  // namespace

std::vector<Fault> layer_faults() {
  return {
      {"dropout_of_95_percent",
       "dropout keeps 5 % of the hidden units",
       {"dropout_too_high"},
       [](Program& p) { p.make_model = one_hidden(nothing, dropout_layer(0.95)); }},
      {"keep_and_drop_exchanged",
       "dropout of 0.8 where 0.8 was to be kept, twice",
       {"dropout_too_high"},
       [](Program& p) { p.make_model = one_hidden(dropout_layer(0.8), dropout_layer(0.8)); }},
      {"dropout_on_inputs",
       "dropout of 0.8 on the inputs",
       {"dropout_too_high"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Dropout{0.8}};
           model.push_back(mlp(q.widths(), rng));
           return model;
         };
       }},
      {"dropout_on_outputs",
       "dropout of 0.5 makes the input of the loss",
       {"dropout_on_output"},
       [](Program& p) { p.append<nn::Dropout>([] { return nn::Dropout{0.5}; }); }},
      {"dropout_before_norm",
       "dropout of 0.7 before a batch norm, whose statistics are others in evaluation",
       {"dropout_before_norm"},
       [](Program& p) {
         p.make_model = one_hidden(
             [](nn::Sequential& model) {
               dropout_layer(0.7)(model);
               batch_norm_layer()(model);
             },
             nothing);
       }},
      {"batch_norm_of_two_rows",
       "batch norm with batches of 2",
       {"small_batch_norm"},
       [](Program& p) {
         p.make_model = one_hidden(batch_norm_layer(), nothing);
         p.options.batch_size = 2;
         p.options.epochs = (p.options.epochs + 4) / 5;
       }},
      {"running_statistics_never_move",
       "batch norm with a momentum of 1e-6: evaluation uses mean 0 and variance 1",
       {"train_eval_gap"},
       [](Program& p) {
         p.everywhere([](Table& t) { t.x = t.x * 3.0 + 2.0; });
         p.make_model = one_hidden(batch_norm_layer({.momentum = 1e-6}), nothing);
       }},
      {"momentum_of_keras",
       "batch norm with a momentum of 0.99, which means 0.01 elsewhere",
       {"train_eval_gap", "batch_norm_momentum"},
       [](Program& p) { p.make_model = one_hidden(batch_norm_layer({.momentum = 0.99}), nothing); }},
      {"bias_before_norm",
       "linear layers before a norm have biases",
       {"useless_bias"},
       [](Program& p) { p.make_model = one_hidden(batch_norm_layer(), nothing); }},
      {"norm_on_the_output",
       "a layer norm makes the outputs",
       {"norm_on_output"},
       [](Program& p) {
         const Index outputs = p.outputs;
         p.append<nn::LayerNorm>([outputs] { return nn::LayerNorm{outputs}; });
       }},
      {"norm_over_features_of_one",
       "a layer norm over a layer of one unit, which makes it a constant",
       {"norm_on_output", "inputs_ignored", "bottleneck"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           return nn::Sequential{nn::Linear{q.train.columns(), 1, rng}, nn::LayerNorm{1}, nn::ReLU{},
                                 nn::Linear{1, q.outputs, rng}};
         };
       }},
      {"inputs_scaled_in_training_only",
       "training_step scales the inputs, predict_step does not",
       {"train_eval_gap"},
       [](Program& p) {
         p.overrides.training_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs * 0.2 + 0.5);
           return train::StepOutput{.loss = loss(outputs, batch.targets), .predictions = outputs};
         };
       }},
      {"dropout_of_its_own_in_evaluation",
       "a dropout by hand that also drops in evaluation",
       {"random_evaluation", "train_eval_gap"},
       [](Program& p) {
         p.change_model([seed = p.seed](nn::Sequential& model, Rng&) {
           const auto rng = std::make_shared<Rng>(seed + 7);
           model.push_back(Lambda([rng](const Tensor& x) {
             const Tensor mask = uniform(x.shape(), 0, 1, *rng);
             for (Scalar& keep : mask.mutable_span()) keep = keep < Scalar(0.5) ? 0 : 2;
             return x * mask;
           }));
         });
       }},
      {"validation_of_training_rows",
       "validation_step returns the loss of the last batch that was trained on",
       {"validation_ignored"},
       [](Program& p) {
         const auto last = std::make_shared<Tensor>(Tensor::scalar(0));
         p.overrides.training_step = [loss = p.loss, last](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs), value = loss(outputs, batch.targets);
           *last = value.detach().clone();
           return train::StepOutput{.loss = value, .predictions = outputs};
         };
         p.overrides.validation_step = [last](const nn::Layer& model, const train::Batch& batch) {
           return train::StepOutput{.loss = *last, .predictions = model(batch.inputs)};
         };
       }},
  };
}

}  // namespace faulty_runs
