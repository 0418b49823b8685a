// Models, layers and gradients of the part `fresh`.
#include <algorithm>
#include <cmath>
#include <map>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

using Build = std::function<nn::Sequential(const Program&, Rng&)>;

// A linear layer of `units`, ReLU, what `between` makes of them, and a linear layer from `left` units to the outputs.
Build with_step(Index units, Index left, const std::function<Tensor(const Tensor&)>& between) {
  return [=](const Program& p, Rng& rng) {
    nn::Sequential model{nn::Linear{p.train.columns(), units, rng}, nn::ReLU{}};
    model.push_back(Lambda(between));
    model.push_back(nn::Linear{left, p.outputs, rng});
    return model;
  };
}

void each_weight(const nn::Layer& model, const std::function<void(Scalar&)>& edit) {
  for (const Parameter& p : model.parameters())
    for (Scalar& w : p.tensor.mutable_span()) edit(w);
}

// Trains the parameters for which `trained` says so, and the others at `rest` times the rate or, without it, not at
// all.
void train_only(Program& p, std::function<bool(const Parameter&, const std::string& last)> trained, double rest = 0) {
  p.overrides.optimizer = [trained, rest](const nn::Layer& model) {
    optim::ParamGroup chosen{.name = "chosen", .params = {}}, others{.name = "others", .params = {}, .lr_scale = rest};
    const std::vector<Parameter> all = model.parameters();
    const std::string last = all.back().name.substr(0, all.back().name.find('.'));
    for (const Parameter& w : all) (trained(w, last) ? chosen : others).params.push_back(w);
    return std::make_unique<optim::AdamW>(rest == 0 ? std::vector{chosen} : std::vector{others, chosen});
  };
}

std::vector<Fault> models() {
  return {
      {"thirty_tanh_layers",
       "30 hidden layers of 24 tanh units",
       {"too_deep", "vanishing_gradient", "vanishing_activations"},
       [](Program& p) {
         p.hidden = std::vector<Index>(30, 24);
         p.activation = Act::tanh;
       }},
      {"second_layer_of_zeros",
       "weights and biases of the second layer start at 0",
       {"zero_weights", "equal_units", "dead_at_start", "vanishing_activations", "vanishing_gradient"},
       [](Program& p) {
         const auto zero = [](const Tensor& w, Rng&) { std::ranges::fill(w.mutable_span(), Scalar(0)); };
         p.change_weights("2.weight", zero);
         p.change_weights("2.bias", zero);
       }},
      {"weights_of_deviation_one",
       "the weights of three wide layers are normal with deviation 1",
       {"initial_loss", "exploding_activations"},
       [](Program& p) {
         p.hidden = {96, 96, 96};
         p.change_weights("weight", [](const Tensor& w, Rng& rng) {
           for (Scalar& v : w.mutable_span()) v = static_cast<Scalar>(rng.normal());
         });
       }},
      {"output_bias_of_50",
       "the bias of the first output starts at 50",
       {"initial_loss"},
       [](Program& p) {
         p.change_model([](nn::Sequential& model, Rng&) { model.parameters().back().tensor.mutable_data()[0] = 50; });
       }},
      {"mean_over_the_units",
       "a mean over the wrong axis leaves one number of 48 hidden units",
       {"bottleneck", "inputs_ignored"},
       [](Program& p) { p.make_model = with_step(48, 1, [](const Tensor& h) { return mean(h, 1, true); }); }},
      {"view_in_place_of_transpose",
       "hidden units are transposed and viewed as [N, 48], which mixes the rows of a batch",
       {"rows_mixed", "scrambled_inputs"},
       [](Program& p) {
         p.make_model = with_step(48, 48, [](const Tensor& h) { return reshape(transpose(h), h.shape()); });
       }},
      {"gates_over_the_batch",
       "hidden units are multiplied by a softmax over the rows of the batch in place of the units",
       {"rows_mixed"},
       [](Program& p) {
         p.make_model =
             with_step(48, 48, [](const Tensor& h) { return h * transpose(softmax(transpose(h) * 3.0)) * 32.0; });
       }},
  };
}

std::vector<Fault> layers() {
  return {
      {"dropout_in_four_small_layers",
       "four hidden layers of 16 units with dropout of 0.6 each",
       {"dropout_too_high"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model;
           for (Index in = q.train.columns(), layer = 0; layer < 4; ++layer, in = 16) {
             model.push_back(nn::Linear{in, 16, rng});
             model.push_back(nn::ReLU{});
             model.push_back(nn::Dropout{0.6});
           }
           model.push_back(nn::Linear{16, q.outputs, rng});
           return model;
         };
       }},
      {"batch_norm_of_two_rows_accumulated",
       "batch norm with batches of 2, of which 16 make a step",
       {"small_batch_norm"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           return nn::Sequential{nn::Linear{q.train.columns(), 48, rng},
                                 nn::BatchNorm1d{48},
                                 nn::ReLU{},
                                 nn::Linear{48, 48, rng},
                                 nn::BatchNorm1d{48},
                                 nn::ReLU{},
                                 nn::Linear{48, q.outputs, rng}};
         };
         p.options.batch_size = 2;
         p.options.accumulate_grad_batches = 16;
         p.options.epochs = (p.options.epochs + 1) / 2;
       }},
      {"inputs_masked_in_training_by_hand",
       "training_step sets 60 % of the inputs to 0 and does not scale the others up",
       {"train_eval_gap", "noisy_inputs", "dropout_too_high"},
       [](Program& p) {
         const auto rng = std::make_shared<Rng>(p.seed + 35);
         p.overrides.training_step = [loss = p.loss, rng](const nn::Layer& model, const train::Batch& batch) {
           const Tensor mask = uniform(batch.inputs.shape(), 0, 1, *rng);
           for (Scalar& m : mask.mutable_span()) m = m < Scalar(0.6) ? 0 : 1;
           const Tensor outputs = model(batch.inputs * mask);
           return train::StepOutput{.loss = loss(outputs, batch.targets), .predictions = outputs};
         };
       }},
      {"predict_step_normalises_again",
       "predict_step normalises its inputs once more, by a mean of 0.5 and a deviation of 0.25",
       {"train_eval_gap"},
       [](Program& p) {
         p.overrides.predict_step = [](const nn::Layer& model, const Tensor& x) { return model((x - 0.5) / 0.25); };
       }},
  };
}

std::vector<Fault> gradients() {
  return {
      {"hidden_units_through_plain_numbers",
       "the hidden units are copied into a new tensor number by number",
       {"unreached", "zero_gradient"},
       [](Program& p) {
         p.make_model = with_step(5, 5, [](const Tensor& h) {
           const Tensor copy(h.shape());
           std::ranges::copy(h.span(), copy.mutable_data());
           return copy;
         });
       }},
      {"slopes_of_leaky_relu_exchanged",
       "the backward pass of a leaky ReLU exchanges its slopes of 1 and 0.1",
       {"wrong_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return x > 0 ? x : 0.1 * x; }, [](double g, double x) { return x > 0 ? 0.1 * g : g; });
       }},
      {"gradient_of_power_without_its_sign",
       "the backward pass of x^2 / 2 takes |x| for x",
       {"wrong_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::min(x * x / 2, 4.0); },
             [](double g, double x) { return x * x < 8 ? g * std::abs(x) : 0; });
       }},
      {"pruned_after_each_step",
       "a hook sets all weights below 0.25 to 0 after each step",
       {"weights_overwritten"},
       [](Program& p) {
         p.overrides.after_step = [](const nn::Layer& model, std::int64_t) {
           each_weight(model, [](Scalar& w) { w = std::abs(w) < Scalar(0.25) ? 0 : w; });
         };
       }},
      {"average_copied_back",
       "a moving average of the weights over 1000 steps is written into the model after each step",
       {"weights_overwritten"},
       [](Program& p) {
         const auto kept = std::make_shared<std::map<std::string, Tensor>>();
         p.overrides.after_step = [kept](const nn::Layer& model, std::int64_t) {
           for (const Parameter& w : model.parameters()) {
             const Tensor& average = kept->try_emplace(w.name, w.tensor.clone()).first->second;
             for (Index i = 0; i < average.size(); ++i) {
               Scalar& a = average.mutable_data()[i];
               a = Scalar(0.999) * a + Scalar(0.001) * w.tensor.data()[i];
               w.tensor.mutable_data()[i] = a;
             }
           }
         };
       }},
      {"body_at_a_ten_thousandth_of_the_rate",
       "all layers but the last have lr_scale = 1e-4, as for a trained body, and start at random",
       {"not_trained", "lr_too_low"},
       [](Program& p) {
         p.hidden = {8, 8};
         train_only(
             p, [](const Parameter& w, const std::string& last) { return w.name.starts_with(last); }, 1e-4);
       }},
      {"biases_only_in_optimizer",
       "a filter by name leaves only the biases in the optimizer",
       {"not_trained"},
       [](Program& p) {
         train_only(p, [](const Parameter& w, const std::string&) { return w.name.ends_with("bias"); });
       }},
  };
}

}  // namespace

std::vector<FaultGroup> fresh_model_faults() {
  return {{"model", models()}, {"layers", layers()}, {"gradient", gradients()}};
}

}  // namespace faulty_runs
