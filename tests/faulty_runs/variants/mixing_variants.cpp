// Models that mix the rows of a batch, ignore their inputs or keep layers to themselves, of the part `variants`.
#include "variants/variants.h"

namespace faulty_runs {
namespace {

// Attention of hidden units over `rows` of the batch, where it should be over the positions within a row.
struct Attention : nn::Layer {
  Attention(Index units, Rng& rng)
      : query(add("query", nn::Linear{units, units, rng})),
        key(add("key", nn::Linear{units, units, rng})),
        value(add("value", nn::Linear{units, units, rng})) {}
  Tensor forward(const Tensor& h) const override {
    return matmul(softmax(matmul(query(h), transpose(key(h)))), value(h));
  }
  nn::Linear &query, &key, &value;
};

// Weighs its values by a softmax over the positions of a row, of which there is only one.
struct OnePosition : nn::Layer {
  OnePosition(Index in, Index units, Rng& rng)
      : score(add("score", nn::Linear{in, 1, rng})),
        values(param("values", nn::Linear{1, units, rng}.weight.clone())) {}
  Tensor forward(const Tensor& x) const override { return matmul(softmax(score(x)), values); }
  nn::Linear& score;
  const Tensor values;
};

nn::Sequential between(const Program& p, Rng& rng, const std::function<void(nn::Sequential&)>& middle) {
  nn::Sequential model{nn::Linear{p.train.columns(), 32, rng}, nn::ReLU{}};
  middle(model);
  model.push_back(nn::Linear{32, p.outputs, rng});
  return model;
}

}  // namespace

std::vector<Fault> mixing_variants() {
  return {
      {"attention_over_the_batch",
       "attention is taken over the rows of the batch, in place of the positions of a row",
       {"rows_mixed"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           return between(q, rng, [&](nn::Sequential& model) { model.push_back(Attention(32, rng)); });
         };
       }},
      {"running_sum_down_the_batch",
       "a cumulative sum is taken over axis 0, so that each row has those before it in its batch",
       {"rows_mixed"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           return between(q, rng, [](nn::Sequential& model) {
             model.push_back(Lambda([](const Tensor& h) {
               const Index rows = h.shape()[0];
               const Tensor before = Tensor::zeros({rows, rows});
               for (Index i = 0; i < rows; ++i)
                 for (Index j = 0; j <= i; ++j) at(before, i, j) = 1;
               return matmul(before, h);
             }));
           });
         };
       }},
      {"attention_over_one_position",
       "a softmax over a single position is always 1, so that learnt values are all that is left of the inputs",
       {"inputs_ignored"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model;
           model.push_back(OnePosition(q.train.columns(), 32, rng));
           model.push_back(nn::ReLU{});
           model.push_back(nn::Linear{32, q.outputs, rng});
           return model;
         };
       }},
      {"mask_of_padding_inverted",
       "a mask is 1 where the input is padding, which is 0, and so takes out all else",
       {"inputs_ignored"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{Lambda([](const Tensor& x) {
             const Tensor mask(x.shape());
             for (Index i = 0; i < x.size(); ++i) mask.mutable_data()[i] = x.data()[i] == 0 ? 1 : 0;
             return x * mask;
           })};
           model.push_back(mlp(q.widths(), rng));
           return model;
         };
       }},
      {"layers_in_a_plain_vector",
       "the hidden layers are kept in a std::vector of the module, and only the output layer is registered",
       {"unregistered"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           const auto layers = std::make_shared<std::vector<nn::Linear>>();
           layers->push_back(nn::Linear{q.train.columns(), 10, rng});
           layers->push_back(nn::Linear{10, 24, rng});
           nn::Sequential model{Lambda([layers](const Tensor& x) {
             Tensor h = x;
             for (const nn::Linear& layer : *layers) h = relu(layer(h));
             return h;
           })};
           model.push_back(nn::Linear{24, q.outputs, rng});
           return model;
         };
       }},
  };
}

}  // namespace faulty_runs
