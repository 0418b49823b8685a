// Losses, and metrics that choose the best weights, of the part `variants`.
#include <algorithm>
#include <cmath>

#include "variants/variants.h"

namespace faulty_runs {
namespace {

using train::MonitorMode;

// The share of wrong answers, or the mean error: lower is better.
struct Wrong {
  std::string name() const { return "wrong"; }
  void add(const Tensor& predictions, const Tensor& targets) {
    const Index columns = predictions.shape().cols();
    for (Index i = 0; i < targets.size(); ++i, ++rows) {
      const Scalar* row = predictions.data() + i * columns;
      const Scalar y = targets.data()[i];
      if (columns > 1)
        error += std::max_element(row, row + columns) - row == static_cast<Index>(y) ? 0 : 1;
      else
        error += std::abs(static_cast<double>(row[0] - y));
    }
  }
  double result() const { return error / static_cast<double>(rows); }
  double error = 0;
  Index rows = 0;
};

}  // namespace

std::vector<Fault> loss_variants() {
  return {
      {"huber_loss_of_grades",
       "the class number is predicted by one output with a Huber loss, and rounded",
       {"loss_mismatch"},
       [](Program& p) {
         const double last = static_cast<double>(p.outputs - 1);
         p.outputs = 1;
         p.known([](Table& t) { t.y = t.y.view({t.rows(), 1}); });
         p.loss =
             train::Loss([](const Tensor& y, const Tensor& t) { return huber_loss(y, t); }, train::Task::regression);
         p.answers = [last](const Tensor& outputs) {
           std::vector<double> classes;
           for (const Scalar y : outputs.span())
             classes.push_back(std::clamp(std::round(static_cast<double>(y)), 0.0, last));
           return classes;
         };
       },
       multiclass,
       {},
       Harm::score,
       false,
       true},
      {"own_bce_of_class_numbers",
       "a binary cross entropy by hand gets one output and class numbers up to C - 1",
       {"loss_mismatch", "labels_out_of_range"},
       [](Program& p) {
         p.outputs = 1;
         p.known([](Table& t) { t.y = t.y.view({t.rows(), 1}); });
         p.loss = train::Loss([](const Tensor& y, const Tensor& t) { return mean(softplus(y) - y * t); },
                              train::Task::regression);
         p.answers = [](const Tensor& outputs) {
           std::vector<double> classes;
           for (const Scalar y : outputs.span()) classes.push_back(y > 0 ? 1 : 0);
           return classes;
         };
       },
       multiclass,
       {},
       Harm::score,
       false,
       true},
      {"flattened_logits_against_a_column",
       "a binary cross entropy by hand takes logits [N] and labels [N, 1]",
       {"broadcast_loss", "rows_mixed"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) {
           const Tensor z = reshape(y, {y.size()});
           return mean(softplus(z) - z * t);
         });
       },
       binary},
      {"sum_over_a_batch_of_128",
       "training_step adds up the losses of 128 rows, for SGD with a rate of 0.02 and without clipping",
       {"sum_loss"},
       [](Program& p) {
         train_with(p, [loss = p.loss](const nn::Layer&, const Tensor& y, const Tensor& t) {
           return loss(y, t) * static_cast<double>(t.size());
         });
         p.options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
         p.options.lr = 0.02;
         p.options.batch_size = 128;
         p.options.clip_norm = train::off;
       }},
      {"r2_is_minimised",
       "the loss is R2, and is minimised",
       {"loss_sign"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) {
           return 1.0 - mean(square(y - t)) / (mean(square(t - mean(t))) + 1e-3);
         });
       },
       regression},
      {"likelihood_is_minimised",
       "the loss is the mean logarithm of the likelihood, and the minus is forgotten",
       {"loss_sign"},
       [](Program& p) { own_loss(p, [](const Tensor& y, const Tensor& t) { return mean(y * t - softplus(y)); }); },
       binary},
      {"error_rate_as_loss",
       "the loss is the error rate, counted with plain numbers",
       {"loss_constant", "zero_gradient", "unreached"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) {
           Index wrong = 0;
           const Index columns = y.shape().cols();
           for (Index i = 0; i < t.size(); ++i) {
             const Scalar* row = y.data() + i * columns;
             const Index answer = columns == 1 ? row[0] > 0 : std::max_element(row, row + columns) - row;
             wrong += answer != static_cast<Index>(t.data()[i]);
           }
           return Tensor::scalar(static_cast<Scalar>(wrong) / static_cast<Scalar>(t.size()));
         });
       },
       classes,
       {"detached", "does not depend", "recorded", "computed on this tape"},
       Harm::score,
       false,
       true},
      {"own_answers_as_targets",
       "a step for rows without labels is used for all: the targets are the answers of the model itself",
       {"targets_ignored"},
       [](Program& p) {
         train_with(p, [loss = p.loss](const nn::Layer&, const Tensor& y, const Tensor& t) {
           const Tensor answers(t.shape());
           const Index columns = y.shape().cols();
           for (Index i = 0; i < t.size(); ++i) {
             const Scalar* row = y.data() + i * columns;
             const Index answer = columns == 1 ? row[0] > 0 : std::max_element(row, row + columns) - row;
             answers.mutable_data()[i] = static_cast<Scalar>(answer);
           }
           return loss(y, answers);
         });
       },
       classes},
      {"loss_of_an_autoencoder",
       "training_step compares the output with the first input, as in the example it was copied from",
       {"targets_ignored"},
       [](Program& p) {
         p.overrides.training_step = [](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs), first(outputs.shape());
           for (Index i = 0; i < first.size(); ++i) first.mutable_data()[i] = batch.inputs.at({i, 0});
           return train::StepOutput{.loss = mse_loss(outputs, first), .predictions = outputs};
         };
       },
       regression},
      {"outputs_are_penalised",
       "10 times the mean square of the outputs is added to the loss, to keep them small",
       {"regularisation_dominates"},
       [](Program& p) {
         train_with(p, [loss = p.loss](const nn::Layer&, const Tensor& y, const Tensor& t) {
           return loss(y, t) + mean(square(y)) * 10.0;
         });
       },
       static_cast<unsigned>(regression) | binary},
      {"group_lasso_of_one_half",
       "half the norm of each layer's weights is added to the loss",
       {"regularisation_dominates"},
       [](Program& p) {
         train_with(p, [loss = p.loss](const nn::Layer& model, const Tensor& y, const Tensor& t) {
           Tensor total = loss(y, t);
           for (const Parameter& w : model.parameters())
             if (w.name.ends_with("weight")) total = total + sqrt(sum(square(w.tensor)) + 1e-8) * 0.5;
           return total;
         });
       }},
      {"weight_of_the_positive_class_is_50",
       "the positive class has a weight of 50, from another data set, although it is not rare",
       {"loss_metric_disagree", "class_imbalance"},
       [](Program& p) {
         own_loss(p, [](const Tensor& y, const Tensor& t) { return mean((softplus(y) - y * t) * (1.0 + t * 49.0)); });
       },
       binary},
      {"f1_is_minimised",
       "val_f1 is monitored and the mode is left at min",
       {"monitor_mode"},
       [](Program& p) {
         p.options.metrics.push_back(train::F1{});
         p.options.monitor = "val_f1";
       },
       classes,
       {"mode"}},
      {"own_error_is_maximised",
       "an error of the user's own is monitored with the mode max, copied from a run that monitored accuracy",
       {"monitor_mode"},
       [](Program& p) {
         p.options.metrics.push_back(Wrong{});
         p.options.monitor = "val_wrong";
         p.options.mode = MonitorMode::max;
       },
       static_cast<unsigned>(multiclass) | regression},
  };
}

}  // namespace faulty_runs
