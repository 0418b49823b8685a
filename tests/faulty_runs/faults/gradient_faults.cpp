// Gradients that are wrong, parameters that are not trained, and weights that something else writes to.
#include <algorithm>
#include <cmath>
#include <map>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

double softsign(double x) { return x / (1 + std::abs(x)); }
double softsign_slope(double x) { return 1 / std::pow(1 + std::abs(x), 2); }

void freeze(Program& p, const std::function<bool(std::size_t layer, std::size_t count)>& which) {
  p.change_model([which](nn::Sequential& model, Rng&) {
    for (std::size_t i = 0; i < model.size(); ++i)
      if (which(i, model.size())) model.freeze(std::to_string(i));
  });
}

std::vector<Parameter> last_two(const nn::Layer& model) {
  std::vector<Parameter> all = model.parameters();
  return {all.end() - 2, all.end()};
}

// Copies of the weights, made when they are first asked for.
using Weights = std::map<std::string, Tensor>;
void write_back(const nn::Layer& model, Weights& kept) {
  for (const Parameter& p : model.parameters()) {
    const auto [it, first] = kept.try_emplace(p.name, p.tensor.clone());
    if (!first) std::ranges::copy(it->second.span(), p.tensor.mutable_data());
  }
}

}  // namespace

std::vector<Fault> gradient_faults() {
  return {
      {"all_but_last_frozen",
       "all layers but the last are frozen, with random weights",
       {"not_trained"},
       [](Program& p) {
         p.hidden = {8, 8};
         freeze(p, [](std::size_t i, std::size_t count) { return i + 1 < count; });
       }},
      {"first_layer_frozen",
       "a random first layer of 6 units is frozen",
       {"not_trained"},
       [](Program& p) {
         p.hidden = {6, 32};
         freeze(p, [](std::size_t i, std::size_t) { return i == 0; });
       }},
      {"everything_frozen",
       "the whole model is frozen",
       {"not_trained"},
       [](Program& p) { freeze(p, [](std::size_t, std::size_t) { return true; }); },
       any,
       {"frozen", "freeze"},
       Harm::score,
       false,
       true},
      {"left_out_of_optimizer",
       "the optimizer gets the parameters of the last layer only",
       {"not_trained"},
       [](Program& p) {
         p.hidden = {8, 8};
         p.overrides.optimizer = [](const nn::Layer& model) {
           return std::make_unique<optim::AdamW>(optim::decay_groups(last_two(model), 0.01));
         };
       }},
      {"group_with_rate_zero",
       "all layers but the last have lr_scale = 0",
       {"not_trained"},
       [](Program& p) {
         p.hidden = {8, 8};
         p.overrides.optimizer = [](const nn::Layer& model) {
           std::vector<Parameter> all = model.parameters();
           all.resize(all.size() - 2);
           return std::make_unique<optim::AdamW>(std::vector<optim::ParamGroup>{
               {.name = "body", .params = all, .lr_scale = 0}, {.name = "head", .params = last_two(model)}});
         };
       }},
      {"parameters_of_another_model",
       "the optimizer has the parameters of another model",
       {"not_trained"},
       [](Program& p) {
         const auto other = std::make_shared<nn::Sequential>();
         Rng rng(99);
         other->push_back(nn::Linear{4, 4, rng});
         p.overrides.optimizer = [other](const nn::Layer&) {
           return std::make_unique<optim::AdamW>(optim::decay_groups(other->parameters(), 0.01));
         };
       },
       any,
       {"parameter with a gradient"},
       Harm::score,
       false,
       true},
      {"detached_hidden_layer",
       "the output of the first layer is detached",
       {"unreached"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 6, rng}};
           model.push_back(Lambda([](const Tensor& x) { return relu(x).detach(); }));
           model.push_back(nn::Linear{6, q.outputs, rng});
           return model;
         };
       }},
      {"gradient_of_wrong_sign",
       "an op of the user's has a gradient of the wrong sign",
       {"wrong_gradient"},
       [](Program& p) { with_op(p, softsign, [](double g, double x) { return -g * softsign_slope(x); }); }},
      {"gradient_of_another_function",
       "an op computes sin(3x) and its gradient is that of the identity",
       {"wrong_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::sin(3 * x); }, [](double g, double) { return g; });
       }},
      {"gradient_100_times_too_small",
       "an op has a gradient that is 100 times too small",
       {"wrong_gradient"},
       [](Program& p) { with_op(p, softsign, [](double g, double x) { return 0.01 * g * softsign_slope(x); }); }},
      {"gradient_without_inner_derivative",
       "an op computes exp(-x^2) and its gradient forgets the factor -2x",
       {"wrong_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::exp(-x * x); }, [](double g, double x) { return g * std::exp(-x * x); });
       }},
      {"rounded_hidden_units",
       "hidden units are rounded, so that no gradient passes",
       {"zero_gradient", "unreached", "vanishing_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::round(2 * x); }, [](double, double) { return 0.0; });
       }},
      {"nan_gradient",
       "an op has a gradient of NaN where its input is negative",
       {"non_finite"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::sqrt(std::max(x, 0.0)); },
             [](double g, double x) { return g * 0.5 / std::sqrt(x); });
       }},
      {"weights_written_back",
       "a hook writes the initial weights back after each step",
       {"weights_overwritten"},
       [](Program& p) {
         const auto kept = std::make_shared<Weights>();
         p.overrides.before_epoch = [kept](const nn::Layer& model, Index) { write_back(model, *kept); };
         p.overrides.after_step = [kept](const nn::Layer& model, std::int64_t) { write_back(model, *kept); };
       }},
      {"weights_reset_each_epoch",
       "a hook sets the weights back at the start of each epoch",
       {"weights_overwritten"},
       [](Program& p) {
         const auto kept = std::make_shared<Weights>();
         p.overrides.before_epoch = [kept](const nn::Layer& model, Index) { write_back(model, *kept); };
       }},
      {"weights_clamped",
       "a hook clamps all weights to 0.01 after each step",
       {"weights_overwritten"},
       [](Program& p) {
         p.overrides.after_step = [](const nn::Layer& model, std::int64_t) {
           for (const Parameter& w : model.parameters())
             for (Scalar& v : w.tensor.mutable_span()) v = std::clamp(v, Scalar(-0.01), Scalar(0.01));
         };
       }},
      {"noise_on_weights",
       "a hook adds noise to all weights after each step",
       {"weights_overwritten"},
       [](Program& p) {
         const auto rng = std::make_shared<Rng>(p.seed + 11);
         p.overrides.after_step = [rng](const nn::Layer& model, std::int64_t) {
           for (const Parameter& w : model.parameters())
             for (Scalar& v : w.tensor.mutable_span()) v += static_cast<Scalar>(0.05 * rng->normal());
         };
       }},
  };
}

}  // namespace faulty_runs
