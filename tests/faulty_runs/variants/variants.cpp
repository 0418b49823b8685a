#include "variants/variants.h"

namespace faulty_runs {

std::vector<FaultGroup> variants() {
  return {{"data", value_variants()},          {"data", row_variants()},          {"columns", column_variants()},
          {"labels", label_variants()},        {"split", split_variants()},       {"model", model_variants()},
          {"model", initial_variants()},       {"layers", layer_variants()},      {"model", mixing_variants()},
          {"gradient", gradient_variants()},   {"outputs", output_variants()},    {"loss", loss_variants()},
          {"optimizer", optimizer_variants()}, {"schedule", schedule_variants()}, {"loop", loop_variants()}};
}

void targets(Table& table, const std::function<void(Scalar&, Index)>& edit) {
  for (Index i = 0; i < table.rows(); ++i) edit(table.y.mutable_data()[i], i);
}

void each_weight(const nn::Layer& model, const std::string& end, const std::function<void(Scalar&)>& edit) {
  for (const Parameter& p : model.parameters())
    if (p.name.ends_with(end))
      for (Scalar& w : p.tensor.mutable_span()) edit(w);
}

void train_with(Program& p, const std::function<Tensor(const nn::Layer&, const Tensor&, const Tensor&)>& loss) {
  p.overrides.training_step = [loss](const nn::Layer& model, const train::Batch& batch) {
    const Tensor outputs = model(batch.inputs);
    return train::StepOutput{.loss = loss(model, outputs, batch.targets), .predictions = outputs};
  };
}

void standardise_first(Program& p) {
  p.make_model = [before = p.make_model](const Program& q, Rng& rng) {
    nn::Sequential model{nn::Standardize::fit(q.train.x)};
    model.push_back(before ? before(q, rng) : mlp(q.widths(), rng, q.activation));
    return model;
  };
}

void sgd(OwnLoop& loop, double momentum) {
  loop.optimizer = [momentum](const nn::Layer& model) {
    return std::make_unique<optim::SGD>(optim::decay_groups(model.parameters(), 0.0),
                                        optim::SGDOptions{.momentum = momentum});
  };
}

}  // namespace faulty_runs
