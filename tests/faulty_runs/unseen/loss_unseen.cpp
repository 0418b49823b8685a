// Outputs and losses, of the part `unseen`.
#include <algorithm>
#include <cmath>

#include "unseen/unseen.h"

namespace faulty_runs {

Tensor of_rows(const Program& p, const Tensor& y, const Tensor& t) {
  if (p.kind == train::Task::regression) return square(y - t);
  if (p.kind == train::Task::binary) return softplus(y) - y * t;
  const Tensor right = Tensor::zeros(y.shape());
  for (Index i = 0; i < t.size(); ++i) at(right, i, static_cast<Index>(t.data()[i])) = 1;
  return sum(log_softmax(y) * right, 1, true) * -1.0;
}

Program kind_of(const Program& p) { return {.kind = p.kind}; }

std::vector<Fault> unseen_outputs() {
  return {
      {"u_outputs_of_unit_length",
       "the outputs of a row are divided by their length, as embeddings are, and so are at most 1",
       {"output_range", "norm_on_output", "zero_gradient"},
       [](Program& p) { output(p, [](const Tensor& y) { return y / sqrt(sum(square(y), 1, true) + 1e-6); }); }},
      {"u_softplus_on_the_logit",
       "a softplus follows the last layer too, and the loss has a sigmoid of its own: no probability is below a half",
       {"activation_before_loss", "output_range"},
       [](Program& p) { output(p, [](const Tensor& y) { return softplus(y); }); },
       binary},
  };
}

std::vector<Fault> unseen_losses() {
  return {
      {"u_correlation_as_loss",
       "the loss is 1 minus the correlation of predictions and targets over the batch, which no scale changes",
       {"rows_mixed", "loss_mismatch", "loss_metric_disagree"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) {
           const Tensor a = y - mean(y), b = t - mean(t);
           return 1.0 - mean(a * b) / sqrt(mean(square(a)) * mean(square(b)) + 1e-6);
         });
       },
       regression},
      {"u_quantile_of_95_percent",
       "a quantile loss is that of 95 %, left from a model of upper bounds, where the median was meant",
       {"loss_metric_disagree", "loss_mismatch"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) {
           const Tensor e = t - y;
           return mean(relu(e) * 0.95 + relu(e * -1.0) * 0.05);
         });
       },
       regression},
      {"u_class_weights_in_another_order",
       "the weights of the classes, 0.02 for every second one and else 5, are those of another numbering",
       {"loss_metric_disagree", "class_imbalance", "rows_ignored"},
       [](Program& p) {
         own_loss(p, [q = kind_of(p)](const Tensor& y, const Tensor& t) {
           const Tensor weight({t.size(), 1});
           for (Index i = 0; i < t.size(); ++i)
             weight.mutable_data()[i] = std::fmod(t.data()[i], Scalar(2)) == 0 ? Scalar(0.02) : 5;
           return mean(of_rows(q, y, t) * weight);
         });
       },
       classes},
      {"u_sum_divided_by_all_rows",
       "the sum over the batch is divided by the rows of the whole training set, for SGD with a rate of 0.01",
       {"loss_scale", "sum_loss", "lr_too_low", "slow_progress"},
       [](Program& p) {
         own_loss(p, [q = kind_of(p), rows = static_cast<double>(p.train.rows())](const Tensor& y, const Tensor& t) {
           return sum(of_rows(q, y, t)) / rows;
         });
         sgd(p, 0.01);
       }},
      {"u_hinge_with_a_plus",
       "a hinge loss is max(0, 1 + y t), where 1 - y t belongs",
       {"loss_sign"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) { return mean(relu(y * (t * 2.0 - 1.0) + 1.0)); });
       },
       binary},
      {"u_huber_of_another_unit",
       "a Huber loss has delta = 0.0001, right for targets in another unit, for SGD with a rate of 0.02",
       {"loss_scale", "vanishing_gradient", "lr_too_low", "slow_progress"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) { return huber_loss(y, t, 1e-4); });
         sgd(p, 0.02);
       },
       regression},
      {"u_weights_of_rows_cut_at_0",
       "the weights of the rows are read from the first column, which is standardised, and negative ones become 0",
       {"rows_ignored"},
       [](Program& p) {
         p.overrides.training_step = [q = kind_of(p)](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs), weight({outputs.shape()[0], 1});
           for (Index i = 0; i < weight.size(); ++i)
             weight.mutable_data()[i] = std::max(Scalar(0), batch.inputs.at({i, 0}));
           return train::StepOutput{.loss = mean(of_rows(q, outputs, batch.targets) * weight), .predictions = outputs};
         };
       }},
      {"u_targets_as_a_row",
       "an absolute error by hand takes predictions [N, 1] and targets that were stacked as [1, N]",
       {"broadcast_loss", "rows_mixed"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) { return mean(abs(y - reshape(t, {1, t.size()}))); });
       },
       static_cast<unsigned>(regression)},
  };
}

}  // namespace faulty_runs
