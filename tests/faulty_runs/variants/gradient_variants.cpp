// Gradients, parameters that are not trained, and weights that are written to, of the part `variants`.
#include <algorithm>
#include <cmath>
#include <map>

#include "variants/variants.h"

namespace faulty_runs {
namespace {

// AdamW of the parameters for which `chosen` says so.
void optimize_only(Program& p, const std::function<bool(const std::string& name)>& chosen) {
  p.overrides.optimizer = [chosen](const nn::Layer& model) {
    std::vector<Parameter> some = model.parameters();
    std::erase_if(some, [&](const Parameter& w) { return !chosen(w.name); });
    return std::make_unique<optim::AdamW>(optim::decay_groups(some, 0.01));
  };
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// Brings the norm of the weights of each unit down to `largest`.
void limit_norms(const nn::Layer& model, double largest) {
  for (const Parameter& p : model.parameters()) {
    if (!p.name.ends_with("weight")) continue;
    const Tensor& w = p.tensor;
    for (Index unit = 0; unit < w.shape()[1]; ++unit) {
      double squares = 0;
      for (Index i = 0; i < w.shape()[0]; ++i) squares += std::pow(static_cast<double>(w.at({i, unit})), 2);
      const double norm = std::sqrt(squares);
      for (Index i = 0; norm > largest && i < w.shape()[0]; ++i)
        at(w, i, unit) = static_cast<Scalar>(static_cast<double>(w.at({i, unit})) * largest / norm);
    }
  }
}

}  // namespace

std::vector<Fault> gradient_variants() {
  return {
      {"optimizer_made_before_the_head",
       "the optimizer got the parameters before the last two layers were added, whose weights stay as drawn",
       {"not_trained"},
       [](Program& p) {
         p.hidden = {12, 24};
         optimize_only(p, [](const std::string& name) { return name.starts_with("0."); });
       }},
      {"middle_layers_frozen",
       "the middle layers of a new model are frozen, as a recipe for a trained one has it",
       {"not_trained"},
       [](Program& p) {
         p.hidden = {24, 12, 12, 24};
         p.change_model([](nn::Sequential& model, Rng&) {
           for (const char* layer : {"2", "4", "6"}) model.freeze(layer);
         });
       }},
      {"weights_without_requires_grad",
       "the weights of the first two layers were copied in with requires_grad off",
       {"not_trained"},
       [](Program& p) {
         p.hidden = {10, 24};
         p.change_model([](nn::Sequential& model, Rng&) {
           for (const Parameter& w : model.parameters())
             if (w.name == "0.weight" || w.name == "2.weight") w.tensor.set_requires_grad(false);
         });
       }},
      {"cosine_without_the_minus",
       "the backward pass of a cosine is its sine, without the minus",
       {"wrong_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::cos(2 * x); }, [](double g, double x) { return 2 * g * std::sin(2 * x); });
       }},
      {"swish_without_the_product_rule",
       "the backward pass of x sigmoid(x) is sigmoid(x) (1 - sigmoid(x)), as for the sigmoid alone",
       {"wrong_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return x * logistic(x); },
             [](double g, double x) { return g * logistic(x) * (1 - logistic(x)); });
       }},
      {"norms_of_units_limited",
       "a hook brings the weights of each unit to a norm of at most 0.2 after each step",
       {"weights_overwritten"},
       [](Program& p) {
         p.overrides.after_step = [](const nn::Layer& model, std::int64_t) { limit_norms(model, 0.2); };
       }},
      {"teacher_copied_into_the_student",
       "a hook copies an old copy of the weights, made in the first epoch, into the model every 20 steps",
       {"weights_overwritten"},
       [](Program& p) {
         const auto teacher = std::make_shared<std::map<std::string, Tensor>>();
         p.overrides.after_step = [teacher](const nn::Layer& model, std::int64_t step) {
           if (step % 20 != 0) return;
           for (const Parameter& w : model.parameters()) {
             const auto [old, first] = teacher->try_emplace(w.name, w.tensor.clone());
             if (!first) std::ranges::copy(old->second.span(), w.tensor.mutable_data());
           }
         };
       }},
  };
}

}  // namespace faulty_runs
