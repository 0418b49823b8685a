// Layers that differ between training and use, and gradients, of the part `unseen`.
#include <algorithm>
#include <cmath>

#include "unseen/unseen.h"

namespace faulty_runs {
namespace {

// x + f(x), where the backward pass of f, an op of the user's, writes its gradient over that of the skip connection.
Tensor overwriting_square(const Tensor& x) {
  const Tensor y(x.shape());
  for (Index i = 0; i < x.size(); ++i) y.mutable_data()[i] = x.data()[i] * x.data()[i] / 8;
  return Tape::record("own_square", {x}, y, [x = Saved(x)](const Backward& b) {
    if (!b[0].needed()) return;
    Scalar* const data = b[0].target().data;
    for (Index i = 0; i < x->size(); ++i) data[i] = b.output_grad().data()[i] * x->data()[i] / 4;
  });
}

Tensor standardised(const Tensor& x) {
  const Tensor centred = x - mean(x, 0, true);
  return centred / sqrt(mean(square(centred), 0, true) + 1e-5);
}

void steps_of(Program& p, const std::function<Tensor(const train::Batch& batch)>& inputs) {
  p.overrides.training_step = [inputs, loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
    const Tensor outputs = model(inputs(batch));
    return train::StepOutput{.loss = loss(outputs, batch.targets), .predictions = outputs};
  };
  p.overrides.validation_step = p.overrides.training_step;
}

// Hidden layers with dropout after each.
void with_dropouts(Program& p, const std::vector<double>& after_each, Index units) {
  p.make_model = [after_each, units](const Program& q, Rng& rng) {
    nn::Sequential model;
    for (int layer = 0; layer < 2; ++layer) {
      model.push_back(nn::Linear{layer == 0 ? q.train.columns() : units, units, rng});
      model.push_back(nn::ReLU{});
      for (const double share : after_each) model.push_back(nn::Dropout{share});
    }
    model.push_back(nn::Linear{units, q.outputs, rng});
    return model;
  };
}

}  // namespace

std::vector<Fault> unseen_layers() {
  return {
      {"u_each_batch_standardised_in_the_steps",
       "training_step and validation_step standardise raw inputs by their batch, and predict_step does not",
       {"train_eval_gap", "rows_mixed"},
       [](Program& p) {
         p.everywhere([](Table& t) { t.x = t.x * 4.0 + 10.0; });
         steps_of(p, [](const train::Batch& batch) { return standardised(batch.inputs); });
       },
       any,
       {},
       Harm::score,
       false,
       true},
      {"u_target_fed_to_the_model",
       "both steps put the target in the place of the first column, as teacher forcing does, and predict_step cannot",
       {"label_leak", "train_eval_gap"},
       [](Program& p) {
         steps_of(p, [](const train::Batch& batch) {
           const Tensor x = batch.inputs.clone();
           for (Index i = 0; i < x.shape()[0]; ++i) at(x, i, 0) = batch.targets.data()[i];
           return x;
         });
       },
       any,
       {},
       Harm::gap,
       false,
       true},
      {"u_dropout_in_the_block_and_after_it",
       "a block of 24 units has dropout of 0.7, and the model adds as much after each block",
       {"dropout_too_high"},
       [](Program& p) {
         with_dropouts(p, {0.7, 0.7}, 24);
       }},
      {"u_validation_in_training_mode",
       "validation_step computes with a tape of its own in training mode, so that dropout of 0.6 is on",
       {"train_eval_gap", "random_evaluation"},
       [](Program& p) {
         with_dropouts(p, {0.6}, 48);
         const auto calls = std::make_shared<std::uint64_t>(0);
         p.overrides.validation_step = [loss = p.loss, calls, seed = p.seed](const nn::Layer& model,
                                                                             const train::Batch& batch) {
           const Tape tape(Mode::train, RandomPosition{.seed = seed + 1, .position = ++*calls});
           const Tensor outputs = model(batch.inputs).clone();
           return train::StepOutput{.loss = loss(outputs, batch.targets).clone(), .predictions = outputs};
         };
       },
       any,
       {},
       Harm::gap,
       false,
       true},
      {"u_validation_compares_the_outputs_with_themselves",
       "validation_step takes the mean square of the outputs minus the outputs: a variable was confused",
       {"validation_ignored", "monitor_constant", "targets_ignored", "loss_constant"},
       [](Program& p) {
         p.overrides.validation_step = [](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs);
           return train::StepOutput{.loss = mean(square(outputs - outputs)), .predictions = outputs};
         };
       },
       any,
       {},
       Harm::score,
       false,
       true},
  };
}

std::vector<Fault> unseen_gradients() {
  return {
      {"u_backward_overwrites",
       "the backward pass of an op writes its gradient where it should add it, and so loses that of a skip connection",
       {"wrong_gradient"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 32, rng}};
           for (int block = 0; block < 3; ++block) {
             model.push_back(Lambda([](const Tensor& h) { return h + overwriting_square(h); }));
             model.push_back(nn::Linear{32, block < 2 ? 32 : q.outputs, rng});
           }
           return model;
         };
       }},
      {"u_slope_of_tanh_from_its_input",
       "the backward pass of tanh is 1 - x^2 with its input for x, where the output belongs",
       {"wrong_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::tanh(3 * x); }, [](double g, double x) { return 3 * g * (1 - 9 * x * x); });
       }},
      {"u_detached_to_save_memory",
       "a model of four hidden layers detaches its units after the third one, to save memory",
       {"unreached", "not_trained"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model;
           model.push_back(mlp({q.train.columns(), 10, 10, 6}, rng));
           model.push_back(Lambda([](const Tensor& h) { return relu(h).detach(); }));
           model.push_back(mlp({6, 24, q.outputs}, rng));
           return model;
         };
       }},
      {"u_rate_falls_by_layer",
       "each layer has a fiftieth of the rate of the one after it, as for the fine-tuning of a trained model",
       {"not_trained", "lr_too_low"},
       [](Program& p) {
         p.hidden = {8, 12, 24};
         p.overrides.optimizer = [](const nn::Layer& model) {
           const std::vector<Parameter> all = model.parameters();
           std::vector<optim::ParamGroup> groups;
           for (std::size_t i = 0; i + 1 < all.size(); i += 2) {
             const auto above = static_cast<double>((all.size() - i) / 2 - 1);
             groups.push_back({.name = all[i].name, .params = {all[i], all[i + 1]}, .lr_scale = std::pow(0.02, above)});
           }
           return std::make_unique<optim::AdamW>(groups);
         };
       }},
      {"u_head_drawn_anew_each_epoch",
       "a hook draws the weights of the last layer anew at the start of each epoch, as for a transfer",
       {"weights_overwritten"},
       [](Program& p) {
         const auto rng = std::make_shared<Rng>(p.rng(98));
         p.overrides.before_epoch = [rng](const nn::Layer& model, Index) {
           const std::vector<Parameter> all = model.parameters();
           nn::init::normal(all[all.size() - 2].tensor, *rng, 0, 0.5);
         };
       }},
  };
}

}  // namespace faulty_runs
