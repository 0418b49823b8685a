// Steps that differ between training, validation and use, and layers that mix rows, of the part `novel`.
#include <algorithm>

#include "novel/novel.h"

namespace faulty_runs {
namespace {

// The rows of a matrix in the opposite order.
Tensor upside_down(const Tensor& x) {
  const Tensor y(x.shape());
  const Index rows = x.shape()[0], columns = x.size() / rows;
  for (Index i = 0; i < rows; ++i)
    std::copy_n(x.data() + (rows - 1 - i) * columns, columns, y.mutable_data() + i * columns);
  return y;
}

Fault in_the_steps(const std::string& name, const std::string& planted, const std::vector<std::string>& causes,
                   const std::function<void(Program&)>& plant, Harm harm = Harm::score) {
  return {.name = name, .planted = planted, .causes = causes, .plant = plant, .harm = harm, .alone = true};
}

}  // namespace

std::vector<Fault> novel_layers() {
  return {
      {"n_units_halved_in_evaluation",
       "in evaluation units are halved after dropout of 0.5, as papers write it, although Dropout doubles those it "
       "keeps",
       {"train_eval_gap"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model;
           for (int layer = 0; layer < 2; ++layer) {
             model.push_back(nn::Linear{layer == 0 ? q.train.columns() : 48, 48, rng});
             model.push_back(nn::ReLU{});
             model.push_back(nn::Dropout{0.5});
             model.push_back(Lambda([](const Tensor& h) { return Tape::training() ? h : h * 0.5; }));
           }
           model.push_back(nn::Linear{48, q.outputs, rng});
           return model;
         };
       }},
      in_the_steps("n_predict_step_with_columns_by_name",
                   "predict_step is given the columns in the order of the file, but orders them by name, which turns "
                   "them around",
                   {"train_eval_gap", "columns_permuted"},
                   [](Program& p) {
                     p.overrides.predict_step = [](const nn::Layer& model, const Tensor& inputs) {
                       return model(transpose(upside_down(transpose(inputs))));
                     };
                   }),
      in_the_steps(
          "n_metric_of_predictions_in_another_order",
          "validation_step collects the predictions of a batch on a stack, so that metrics compare them with the "
          "targets of other rows",
          {"loss_metric_disagree"},
          [](Program& p) {
            p.overrides.validation_step = [loss = p.loss](const nn::Layer& model, const train::Batch& batch) {
              const Tensor outputs = model(batch.inputs);
              return train::StepOutput{.loss = loss(outputs, batch.targets), .predictions = upside_down(outputs)};
            };
          },
          Harm::gap),
      {"n_unit_length_along_the_batch",
       "the first hidden layer is brought to length 1 along axis 0, the rows of the batch, in place of its units",
       {"rows_mixed"},
       [](Program& p) {
         p.make_model = [](const Program& q, Rng& rng) {
           nn::Sequential model{nn::Linear{q.train.columns(), 48, rng}, nn::ReLU{}};
           model.push_back(Lambda([](const Tensor& h) { return h / sqrt(sum(square(h), 0, true) + 1e-6); }));
           model.push_back(mlp({48, 32, q.outputs}, rng));
           return model;
         };
       }},
  };
}

}  // namespace faulty_runs
