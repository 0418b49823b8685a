// Gradients, parameters that are not trained, and weights that are written to, of the part `novel`.
#include <algorithm>
#include <cmath>

#include "novel/novel.h"

namespace faulty_runs {
namespace {

// tanh as an op of the user's, which adds its gradients to a buffer that is kept from step to step.
Tensor tanh_with_buffer(const Tensor& x, const std::shared_ptr<std::vector<Scalar>>& buffer) {
  const Tensor y(x.shape());
  for (Index i = 0; i < x.size(); ++i) y.mutable_data()[i] = std::tanh(x.data()[i]);
  return Tape::record("own_tanh", {x}, y, [x = Saved(x), buffer](const Backward& b) {
    if (!b[0].needed()) return;
    buffer->resize(std::max(buffer->size(), static_cast<std::size_t>(x->size())));
    const auto [data, accumulate] = b[0].target();
    for (Index i = 0; i < x->size(); ++i) {
      Scalar& sum = (*buffer)[static_cast<std::size_t>(i)];
      const Scalar tangent = std::tanh(x->data()[i]);
      sum += b.output_grad().data()[i] * (1 - tangent * tangent);
      data[i] = accumulate ? data[i] + sum : sum;
    }
  });
}

// Layers whose gradients are switched off, as those of a trained model are.
struct Body : nn::Layer {
  explicit Body(nn::Sequential layers) : inner(add("inner", std::move(layers))) {}
  Tensor forward(const Tensor& x) const override {
    const NoGrad off;
    return inner(x);
  }
  nn::Sequential& inner;
};

// Computes with a copy of its weight that was made when it was built.
struct Copied : nn::Layer {
  Copied(Index in, Index units, Rng& rng)
      : layer(add("layer", nn::Linear{in, units, rng})), copy(layer.weight.clone()) {}
  Tensor forward(const Tensor& x) const override { return linear(x, copy, layer.bias); }
  nn::Linear& layer;
  const Tensor copy;
};

}  // namespace

std::vector<Fault> novel_gradients() {
  return {
      {"n_mask_of_a_relu_inverted",
       "the backward pass of a ReLU lets the gradient through where the input is below 0",
       {"wrong_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::max(x, 0.0); }, [](double g, double x) { return x < 0 ? g : 0; });
       }},
      {"n_gradient_clipped_within_an_op",
       "against explosions, the backward pass of an op clips each element to 0.000001, for SGD with a rate of 0.05",
       {"wrong_gradient", "vanishing_gradient"},
       [](Program& p) {
         with_op(
             p, [](double x) { return std::max(x, 0.0); },
             [](double g, double x) { return x > 0 ? std::clamp(g, -1e-6, 1e-6) : 0; });
         sgd(p, 0.05);
       }},
      {"n_buffer_of_gradients_never_cleared",
       "the backward pass of an op adds to a buffer of its own, which it never sets back to 0",
       {"wrong_gradient", "gradients_accumulate"},
       [](Program& p) {
         with_activation(p, [buffer = std::make_shared<std::vector<Scalar>>()](const Tensor& h) {
           return tanh_with_buffer(h, buffer);
         });
       }},
      {"n_body_without_gradients",
       "the body of a new model runs within a NoGrad, copied from a program that trains the head of a trained one",
       {"not_trained", "unreached"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{Body(mlp({q.train.columns(), 12, 6}, rng)), nn::ReLU{}};
           model.push_back(mlp({6, 24, q.outputs}, rng));
           return model;
         };
       }},
      {"n_copy_of_the_weights_in_use",
       "the first layer computes with a copy of its weights, made when it was built to save a transpose",
       {"unreached", "unregistered", "not_trained"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{Copied(q.train.columns(), 6, rng), nn::ReLU{}};
           model.push_back(mlp({6, 24, q.outputs}, rng));
           return model;
         };
       }},
      {"n_sharpness_step_never_taken_back",
       "a hook moves each weight outward by a hundredth after each step, to measure sharpness, and forgets to go back",
       {"weights_overwritten"},
       [](Program& p) {
         p.overrides.after_step = [](const nn::Layer& model, std::int64_t) {
           each_weight(model, "weight", [](Scalar& w) { w *= Scalar(1.01); });
         };
       }},
  };
}

}  // namespace faulty_runs
