// Outputs and losses of the part `fresh`.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

std::vector<Fault> outputs() {
  return {
      {"outputs_clamped_to_0_1",
       "the outputs are clamped to [0, 1] before the loss",
       {"output_range", "zero_gradient", "activation_before_loss"},
       [](Program& p) { p.append<Lambda>([] { return Lambda([](const Tensor& y) { return clamp(y, 0, 1); }); }); }},
      {"exponential_output",
       "an exp makes the outputs of a regression with standardised targets",
       {"output_range"},
       [](Program& p) { p.append<Lambda>([] { return Lambda([](const Tensor& y) { return exp(y); }); }); },
       regression},
  };
}

std::vector<Fault> losses() {
  const auto change = [](Program& p, const std::function<Tensor(const Tensor& y, const Tensor& t)>& loss) {
    p.loss = train::Loss(loss, p.kind);
  };
  return {
      {"class_0_ignored_as_padding",
       "rows of class 0 have no weight in the loss, which takes 0 for padding",
       {"rows_ignored", "missing_class"},
       [=](Program& p) {
         change(p, [](const Tensor& y, const Tensor& t) {
           const Tensor chosen = Tensor::zeros(y.shape());
           Index counted = 0;
           for (Index i = 0; i < t.size(); ++i)
             if (t.data()[i] != 0) {
               chosen.mutable_data()[i * y.shape().cols() + static_cast<Index>(t.data()[i])] = 1;
               ++counted;
             }
           return sum(chosen * log_softmax(y)) * (-1.0 / static_cast<double>(std::max<Index>(counted, 1)));
         });
       },
       multiclass},
      {"mean_before_the_loss",
       "the loss compares the mean prediction of the batch with its mean target",
       {"rows_mixed", "inputs_ignored"},
       [=](Program& p) {
         change(p, [plain = p.loss](const Tensor& y, const Tensor& t) {
           return plain(mean(y, 0, true), mean(t, 0, true));
         });
       },
       static_cast<unsigned>(binary) | regression},
      {"penalty_of_absolute_weights",
       "0.1 times the sum of the absolute weights is added to the loss",
       {"regularisation_dominates"},
       [](Program& p) {
         p.overrides.training_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs);
           Tensor total = loss(outputs, batch.targets);
           for (const Parameter& w : model.parameters()) total = total + sum(abs(w.tensor)) * 0.1;
           return train::StepOutput{.loss = total, .predictions = outputs};
         };
       }},
      {"hinge_of_labels_0_and_1",
       "a hinge loss, which wants labels -1 and 1, gets 0 and 1",
       {"rows_ignored", "loss_mismatch", "labels_out_of_range"},
       [=](Program& p) { change(p, [](const Tensor& y, const Tensor& t) { return mean(relu(1.0 - y * t)); }); },
       binary},
      {"relative_error_of_standardised_targets",
       "the squared error is divided by the square of a target that may be 0",
       {"loss_mismatch", "loss_scale", "spike"},
       [=](Program& p) {
         change(p, [](const Tensor& y, const Tensor& t) { return mean(square((y - t) / (abs(t) + 1e-3))); });
       },
       regression},
      {"loss_clamped",
       "the loss is clamped to at most 0.1, to be stable",
       {"loss_constant", "zero_gradient", "vanishing_gradient"},
       [=](Program& p) {
         change(p, [plain = p.loss](const Tensor& y, const Tensor& t) { return clamp(plain(y, t), 0, 0.1); });
       }},
  };
}

}  // namespace

std::vector<FaultGroup> fresh_loss_faults() { return {{"outputs", outputs()}, {"loss", losses()}}; }

}  // namespace faulty_runs
