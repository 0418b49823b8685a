// Losses that do not fit the task, the model or the batch.
#include <algorithm>
#include <cmath>

#include "faults/fault.h"

namespace faulty_runs {
namespace {

// -mean of the log-probability of the targets.
Tensor negative_log_likelihood(const Tensor& log_probabilities, const Tensor& targets) {
  const Tensor chosen = Tensor::zeros(log_probabilities.shape());
  const Index columns = chosen.shape().cols();
  for (Index i = 0; i < targets.size(); ++i)
    chosen.mutable_data()[i * columns + static_cast<Index>(targets.data()[i])] = 1;
  return sum(chosen * log_probabilities) * (-1.0 / static_cast<double>(targets.size()));
}

// The loss of the task, changed by f(loss, predictions, targets).
void change_loss(Program& p, std::function<Tensor(const Tensor&, const Tensor&, const Tensor&)> f) {
  p.loss = train::Loss(
      [plain = p.loss, f](const Tensor& predictions, const Tensor& targets) {
        return f(plain(predictions, targets), predictions, targets);
      },
      p.kind);
}
// One output that is to become the number of the class, rounded.
void one_output(Program& p, double scale) {
  const double last = static_cast<double>(p.outputs - 1);
  p.outputs = 1;
  p.known([&](Table& t) { t.y = (t.y * scale).view({t.rows(), 1}); });
  p.answers = [scale, last](const Tensor& outputs) {
    std::vector<double> classes;
    for (const Scalar y : outputs.span())
      classes.push_back(std::clamp(std::round(static_cast<double>(y) / scale), 0.0, last));
    return classes;
  };
}

std::vector<double> above_half(const Tensor& outputs) {
  std::vector<double> classes;
  for (const Scalar y : outputs.span()) classes.push_back(y > Scalar(0.5) ? 1 : 0);
  return classes;
}

}  // namespace

void own_loss(Program& p, const std::function<Tensor(const Tensor& y, const Tensor& t)>& loss) {
  p.loss = train::Loss(loss, p.kind);
}

std::vector<Fault> loss_faults() {
  return {
      {"mse_on_class_numbers",
       "a regression of the class number by mse_loss",
       {"loss_mismatch"},
       [](Program& p) {
         one_output(p, 1);
         p.loss = mse_loss;
       },
       multiclass,
       {},
       Harm::score,
       false,
       true},
      {"bce_on_class_numbers",
       "binary cross entropy of one output, with class numbers scaled to [0, 1]",
       {"loss_mismatch"},
       [](Program& p) {
         const double last = static_cast<double>(p.outputs - 1);
         one_output(p, 1 / last);
         const auto classes_of = p.answers;
         p.answers = [classes_of](const Tensor& outputs) { return classes_of(sigmoid(outputs)); };
         p.loss = binary_cross_entropy_with_logits;
       },
       multiclass,
       {},
       Harm::score,
       false,
       true},
      {"bce_on_raw_class_numbers",
       "binary cross entropy with class numbers up to C - 1",
       {"loss_mismatch"},
       [](Program& p) {
         one_output(p, 1);
         p.loss = binary_cross_entropy_with_logits;
       },
       multiclass,
       {"[0, 1]", "0 or 1"},
       Harm::score,
       false,
       true},
      {"mse_on_binary_labels",
       "mse_loss on labels 0 and 1, with a threshold of 0.5",
       {"loss_mismatch"},
       [](Program& p) {
         p.loss = mse_loss;
         p.answers = above_half;
       },
       binary},
      {"softmax_over_the_batch",
       "the probabilities of a class sum to 1 over the rows of the batch",
       {"rows_mixed"},
       [](Program& p) {
         p.loss = train::Loss(
             [](const Tensor& y, const Tensor& targets) {
               return negative_log_likelihood(transpose(log_softmax(transpose(y))), targets);
             },
             train::Task::multiclass);
       },
       multiclass},
      {"one_column_against_a_vector",
       "predictions [N, 1] minus targets [N] in a loss of one's own make [N, N]",
       {"broadcast_loss", "rows_mixed"},
       [](Program& p) {
         p.loss =
             train::Loss([](const Tensor& y,
                            const Tensor& targets) { return mean(square(y - reshape(targets, {targets.size()}))); },
                         train::Task::regression);
       },
       regression},
      {"vector_given_to_mse_loss",
       "mse_loss of predictions [N, 1] and targets [N]",
       {"shape_mismatch"},
       [](Program& p) { p.everywhere([](Table& t) { t.y = t.y.view({t.rows()}); }); },
       regression,
       {"mse_loss", "shape"},
       Harm::score,
       false,
       true},
      {"one_hot_targets",
       "cross_entropy of targets in one column for each class",
       {"shape_mismatch"},
       [](Program& p) { p.known([&](Table& t) {
                          t.y = Tensor::zeros({t.rows(), p.outputs});
                        }); },
       multiclass,
       {"one class per sample", "cross_entropy"},
       Harm::score,
       false,
       true},
      {"sum_instead_of_mean",
       "the loss is the sum over the batch",
       {"sum_loss"},
       [](Program& p) {
         change_loss(p, [](const Tensor& loss, const Tensor&, const Tensor& y) {
           return loss * static_cast<double>(y.shape()[0]);
         });
       }},
      {"sum_loss_with_sgd",
       "the loss is the sum over the batch, for SGD with a given rate",
       {"sum_loss"},
       [](Program& p) {
         p.options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
         p.options.lr = 0.05;
         p.options.clip_norm = train::off;
         change_loss(p, [](const Tensor& loss, const Tensor&, const Tensor& y) {
           return loss * static_cast<double>(y.shape()[0]);
         });
       }},
      {"loss_with_wrong_sign",
       "the loss is maximised: its sign is wrong",
       {"loss_sign"},
       [](Program& p) { change_loss(p, [](const Tensor& loss, const Tensor&, const Tensor&) { return -loss; }); }},
      {"bounded_loss_with_wrong_sign",
       "the mean probability of the right class is minimised",
       {"loss_sign"},
       [](Program& p) {
         p.loss = train::Loss([](const Tensor& y, const Tensor& t) { return -negative_log_likelihood(softmax(y), t); },
                              train::Task::multiclass);
       },
       multiclass},
      {"loss_of_a_constant",
       "the loss does not depend on the model",
       {"loss_constant"},
       [](Program& p) {
         change_loss(p, [](const Tensor& loss, const Tensor&, const Tensor&) { return loss.detach(); });
       },
       any,
       {"detached", "does not depend"},
       Harm::score,
       false,
       true},
      {"loss_ignores_targets",
       "the loss compares the predictions with 0",
       {"targets_ignored"},
       [](Program& p) {
         change_loss(p, [](const Tensor&, const Tensor& y, const Tensor&) { return mean(square(y)); });
       }},
      {"regularisation_dominates",
       "a penalty of 10 times the squared weights is added to the loss",
       {"regularisation_dominates"},
       [](Program& p) {
         p.overrides.training_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs);
           Tensor total = loss(outputs, batch.targets);
           for (const Parameter& w : model.parameters()) total = total + sum(square(w.tensor)) * 10.0;
           return train::StepOutput{.loss = total, .predictions = outputs};
         };
       }},
      {"first_row_only",
       "the loss is that of the first row of the batch",
       {"rows_ignored"},
       [](Program& p) {
         p.overrides.training_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
           const Index row = 0;
           const Table all{batch.inputs, batch.targets}, first = pick(all, {row});
           return train::StepOutput{.loss = loss(model(first.x), first.y)};
         };
         p.overrides.validation_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
           const Tensor outputs = model(batch.inputs);
           return train::StepOutput{.loss = loss(outputs, batch.targets), .predictions = outputs};
         };
       }},
      {"loss_times_1e_9",
       "the loss is multiplied by 1e-9, so that Adam's eps counts",
       {"loss_scale", "vanishing_gradient"},
       [](Program& p) {
         change_loss(p, [](const Tensor& loss, const Tensor&, const Tensor&) { return loss * 1e-9; });
       }},
      {"sqrt_at_zero",
       "a penalty with the square root of a distance that is 0",
       {"non_finite"},
       [](Program& p) {
         change_loss(p, [](const Tensor& loss, const Tensor& y, const Tensor&) {
           return loss + mean(sqrt(square(y - y.detach()))) * 1e-3;
         });
       }},
      {"log_of_zero",
       "the logarithm of probabilities that may be 0",
       {"non_finite"},
       [](Program& p) {
         p.append<Lambda>([] { return Lambda([](const Tensor& y) { return y * 40.0; }); });
         p.loss =
             train::Loss([](const Tensor& y, const Tensor& t) { return negative_log_likelihood(log(softmax(y)), t); },
                         train::Task::multiclass);
       },
       multiclass},
  };
}

}  // namespace faulty_runs
