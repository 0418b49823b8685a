// Output layers that do not fit the loss or the targets, of the part `variants`.
#include "variants/variants.h"

namespace faulty_runs {
namespace {

Tensor probabilities(const Tensor& logits) { return exp(log_softmax(logits)); }

}  // namespace

std::vector<Fault> output_variants() {
  return {
      {"probabilities_from_the_steps",
       "training_step and validation_step make probabilities for the metric, and give them to cross_entropy too, with "
       "SGD",
       {"activation_before_loss"},
       [](Program& p) {
         p.overrides.training_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = probabilities(model(batch.inputs));
           return train::StepOutput{.loss = loss(outputs, batch.targets), .predictions = outputs};
         };
         p.overrides.validation_step = p.overrides.training_step;
         p.options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
         p.options.lr = 0.02;
       },
       multiclass},
      {"sigmoid_written_as_tanh",
       "the model ends in (1 + tanh(x / 2)) / 2, and the loss has a sigmoid of its own, with SGD",
       {"activation_before_loss"},
       [](Program& p) {
         output(p, [](const Tensor& y) { return (1.0 + tanh(y * 0.5)) * 0.5; });
         p.answers = [](const Tensor& outputs) {
           std::vector<double> classes;
           for (const Scalar y : outputs.span()) classes.push_back(y > Scalar(0.5) ? 1 : 0);
           return classes;
         };
         p.options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
         p.options.lr = 0.02;
       },
       binary},
      {"tanh_after_every_layer",
       "a loop adds a tanh after every layer, so that one ends the logits",
       {"activation_before_loss"},
       [](Program& p) {
         p.activation = Act::tanh;
         p.append<nn::Tanh>([] { return nn::Tanh{}; });
       },
       classes},
      {"softplus_for_a_positive_price",
       "a softplus makes the outputs, as prices are positive, and the targets are standardised",
       {"output_range"},
       [](Program& p) { output(p, [](const Tensor& y) { return softplus(y); }); },
       regression},
      {"sigmoid_of_a_rating_from_0_to_2",
       "the outputs are a sigmoid times 2, and the targets are standardised",
       {"output_range"},
       [](Program& p) { output(p, [](const Tensor& y) { return sigmoid(y) * 2.0; }); },
       regression},
      {"probabilities_over_the_rows",
       "the last layer is divided by its sum over the rows, not over the classes, and its logarithm is the loss, with "
       "batches of 8",
       {"rows_mixed"},
       [](Program& p) {
         output(p, [](const Tensor& y) {
           const Tensor e = exp(clamp(y, -20, 20));
           return e / sum(e, 0, true);
         });
         p.loss = train::Loss(
             [](const Tensor& y, const Tensor& t) {
               const Tensor chosen = Tensor::zeros(y.shape());
               for (Index i = 0; i < t.size(); ++i) at(chosen, i, static_cast<Index>(t.data()[i])) = 1;
               return sum(chosen * log(y + 1e-9)) * (-1.0 / static_cast<double>(t.size()));
             },
             train::Task::multiclass);
         p.options.batch_size = 8;
       },
       multiclass},
  };
}

}  // namespace faulty_runs
