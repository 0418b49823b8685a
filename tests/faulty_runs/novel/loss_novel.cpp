// Outputs and losses, of the part `novel`.
#include "novel/novel.h"

namespace faulty_runs {

std::vector<Fault> novel_outputs() {
  return {
      {"n_absolute_value_of_outputs",
       "the outputs are made positive by their absolute value, and the targets are standardised",
       {"output_range"},
       [](Program& p) { output(p, [](const Tensor& y) { return abs(y); }); },
       regression},
      {"n_mask_of_a_class_left_on",
       "-10000 is added to the output of class 0, which was masked for another data set",
       {"initial_loss", "output_range"},
       [](Program& p) {
         const Tensor mask = Tensor::zeros({1, p.outputs});
         at(mask, 0, 0) = -10000;
         output(p, [mask](const Tensor& y) { return y + mask; });
       },
       multiclass},
      {"n_gelu_after_every_layer",
       "a loop adds a GELU after every layer, so that no logit is below -0.17",
       {"activation_before_loss", "output_range"},
       [](Program& p) {
         p.activation = Act::gelu;
         p.append<nn::GELU>([] { return nn::GELU{}; });
       },
       classes},
  };
}

std::vector<Fault> novel_losses() {
  return {
      {"n_focal_loss_the_wrong_way",
       "the weight of a row is the third power of its probability, where that of 1 minus it was meant",
       {"rows_ignored", "loss_metric_disagree", "loss_scale"},
       [](Program& p) {
         own_loss(p, [q = kind_of(p)](const Tensor& y, const Tensor& t) {
           const Tensor each = of_rows(q, y, t);
           return mean(each * exp(each.detach() * -3.0));
         });
       },
       classes},
      {"n_one_minus_the_label",
       "a cross entropy by hand takes 1 minus the labels, so that all classes but the right one are wanted",
       {"loss_sign", "labels_recoded"},
       [](Program& p) {
         own_loss(p, [q = kind_of(p), many = p.outputs > 1](const Tensor& y, const Tensor& t) {
           if (!many) return mean(softplus(y) - y * (1.0 - t));
           return mean(sum(log_softmax(y), 1, true) * -1.0 - of_rows(q, y, t));
         });
       },
       classes},
      {"n_loss_scale_of_half_precision",
       "the loss is multiplied by 65536, as for half precision, and not divided again, for SGD without clipping",
       {"loss_scale", "lr_too_high"},
       [](Program& p) {
         own_loss(p, [loss = p.loss](const Tensor& y, const Tensor& t) { return loss(y, t) * 65536.0; });
         sgd(p, 0.01);
         p.options.clip_norm = train::off;
       }},
      {"n_worst_row_of_the_batch",
       "the loss is the largest one of the rows of a batch, by a smooth maximum along the wrong axis",
       {"rows_ignored", "rows_mixed"},
       [](Program& p) {
         own_loss(p, [q = kind_of(p)](const Tensor& y, const Tensor& t) {
           const Tensor each = of_rows(q, y, t);
           return mean(logsumexp(reshape(each, {1, each.size()}) * 10.0)) / 10.0;
         });
       }},
      {"n_poisson_loss_of_standardised_targets",
       "a Poisson loss, exp(y) - t y, which wants counts, gets standardised targets",
       {"loss_mismatch"},
       [](Program& p) { own_loss(p, [](const Tensor& y, const Tensor& t) { return mean(exp(y) - t * y); }); },
       regression},
      {"n_arguments_of_the_loss_exchanged",
       "a binary cross entropy by hand wants targets first and gets outputs first, so that it falls without bound",
       {"loss_mismatch", "loss_sign"},
       [](Program& p) { own_loss(p, [](const Tensor& t, const Tensor& y) { return mean(softplus(y) - y * t); }); },
       binary},
      {"n_variance_of_the_errors",
       "the loss is the variance of the errors of a batch, which does not change when all outputs are off by the same",
       {"rows_mixed", "loss_mismatch", "loss_metric_disagree"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) {
           const Tensor error = y - t;
           return mean(square(error - mean(error)));
         });
       },
       regression},
      {"n_class_numbers_against_every_output",
       "a binary cross entropy by hand compares each output with the number of the class, [N, C] with [N, 1]",
       {"loss_mismatch", "broadcast_loss", "labels_out_of_range"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) {
           return mean(softplus(y) - y * reshape(t, {t.size(), 1}));
         });
       },
       multiclass},
  };
}

}  // namespace faulty_runs
