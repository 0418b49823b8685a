// Output layers: activations before a loss that has its own, and outputs that cannot reach the targets.
#include "faults/fault.h"

namespace faulty_runs {
namespace {

void wrap_outputs(Program& p, std::function<Tensor(const Tensor&)> f) {
  p.append<Lambda>([f] { return Lambda(f); });
}

std::vector<double> above_half(const Tensor& outputs) {
  std::vector<double> classes;
  for (const Scalar y : outputs.span()) classes.push_back(y > Scalar(0.5) ? 1 : 0);
  return classes;
}

}  // namespace

void output(Program& p, const std::function<Tensor(const Tensor&)>& f) {
  p.append<Lambda>([f] { return Lambda(f); });
}

std::vector<Fault> output_faults() {
  return {
      {"softmax_before_cross_entropy",
       "the model ends in a softmax, and cross_entropy has its own",
       {"activation_before_loss"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return softmax(y); }); },
       multiclass},
      {"softmax_by_hand",
       "a softmax of exp, sum and division before cross_entropy",
       {"activation_before_loss"},
       [](Program& p) {
         wrap_outputs(p, [](const Tensor& y) {
           const Tensor e = exp(y);
           return e / sum(e, 1, true);
         });
       },
       multiclass},
      {"log_softmax_before_cross_entropy",
       "the model ends in a log_softmax",
       {"activation_before_loss"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return log_softmax(y); }); },
       multiclass},
      {"sigmoid_before_cross_entropy",
       "the model ends in a sigmoid before cross_entropy",
       {"activation_before_loss"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return sigmoid(y); }); },
       multiclass},
      {"sigmoid_before_bce",
       "the model ends in a sigmoid, and the loss has its own",
       {"activation_before_loss"},
       [](Program& p) {
         wrap_outputs(p, [](const Tensor& y) { return sigmoid(y); });
         p.answers = above_half;
       },
       binary},
      {"relu_on_logits",
       "the last linear layer is followed by a ReLU",
       {"activation_before_loss", "output_range"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return relu(y); }); },
       classes},
      {"relu_output_for_negative_targets",
       "a ReLU makes the outputs of a regression with negative targets",
       {"output_range"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return relu(y); }); },
       regression},
      {"sigmoid_output_for_wide_targets",
       "a sigmoid makes the outputs of a regression",
       {"output_range"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return sigmoid(y); }); },
       regression},
      {"tanh_output_for_wide_targets",
       "a tanh makes the outputs of a regression with targets beyond 1",
       {"output_range"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return tanh(y); }); },
       regression},
      {"softmax_of_one_output",
       "a softmax over a single output is always 1",
       {"activation_before_loss", "output_range"},
       [](Program& p) {
         wrap_outputs(p, [](const Tensor& y) { return softmax(y); });
         p.answers = above_half;
       },
       static_cast<unsigned>(binary) | regression},
      {"logits_times_100",
       "the logits are divided by a temperature of 0.01",
       {"initial_loss", "exploding_activations"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return y * 100.0; }); },
       classes},
      {"logits_over_1000",
       "the logits are divided by a temperature of 1000",
       {"vanishing_activations", "output_range"},
       [](Program& p) { wrap_outputs(p, [](const Tensor& y) { return y / 1000.0; }); }},
  };
}

}  // namespace faulty_runs
