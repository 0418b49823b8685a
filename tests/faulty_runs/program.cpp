#include "program.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace faulty_runs {

Table pick(const Table& table, const std::vector<Index>& rows) {
  const train::TensorDataset data(table.x, table.y, {.check_finite = false});
  const train::Batch batch = train::empty_batch(data, std::ssize(rows));
  data.gather(rows, batch);
  return {batch.inputs, batch.targets};
}

Table join(const Table& a, const Table& b) { return {cat({a.x, b.x}, 0), cat({a.y, b.y}, 0)}; }

void add_column(Table& table, const std::function<double(Index)>& value) {
  const Tensor column({table.rows(), 1});
  for (Index i = 0; i < table.rows(); ++i) column.mutable_data()[i] = static_cast<Scalar>(value(i));
  table.x = cat({table.x, column}, 1);
}

void cells(Table& table, const std::function<void(Scalar&, Index, Index)>& edit) {
  for (Index i = 0; i < table.rows(); ++i)
    for (Index j = 0; j < table.columns(); ++j) edit(table.x.mutable_data()[i * table.columns() + j], i, j);
}

std::vector<Index> numbers(Index count) {
  std::vector<Index> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), Index{0});
  return all;
}

std::vector<Index> shuffled(Index count, Rng& rng) {
  std::vector<Index> all = numbers(count);
  rng.shuffle(std::span(all));
  return all;
}

void push(nn::Sequential& model, Act activation) {
  switch (activation) {
    case Act::none:
      break;
    case Act::relu:
      model.push_back(nn::ReLU{});
      break;
    case Act::gelu:
      model.push_back(nn::GELU{});
      break;
    case Act::tanh:
      model.push_back(nn::Tanh{});
      break;
    case Act::sigmoid:
      model.push_back(nn::Sigmoid{});
      break;
    case Act::softplus:
      model.push_back(nn::Softplus{});
      break;
  }
}

nn::Sequential mlp(const std::vector<Index>& widths, Rng& rng, Act activation) {
  nn::Sequential model;
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    if (l > 0) push(model, activation);
    model.push_back(nn::Linear(widths[l], widths[l + 1], rng));
  }
  return model;
}

std::vector<Index> Program::widths() const {
  std::vector<Index> all{train.columns()};
  all.insert(all.end(), hidden.begin(), hidden.end());
  all.push_back(outputs);
  return all;
}

nn::Sequential Program::model(Rng& rng) const {
  return make_model ? make_model(*this, rng) : mlp(widths(), rng, activation);
}

void Program::known(const std::function<void(Table&)>& edit) {
  edit(train);
  edit(validation);
}

void Program::everywhere(const std::function<void(Table&)>& edit) {
  known(edit);
  edit(test);
}

void Program::change_model(std::function<void(nn::Sequential&, Rng&)> edit) {
  make_model = [before = make_model, edit = std::move(edit)](const Program& program, Rng& rng) {
    nn::Sequential model = before ? before(program, rng) : mlp(program.widths(), rng, program.activation);
    edit(model, rng);
    return model;
  };
}

void Program::change_weights(const std::string& end, std::function<void(const Tensor&, Rng&)> edit) {
  change_model([end, edit = std::move(edit)](nn::Sequential& model, Rng& rng) {
    for (const Parameter& p : model.parameters())
      if (p.name.ends_with(end)) edit(p.tensor, rng);
  });
}

Program healthy_program(const Task& task, std::uint64_t seed, bool own) {
  Program program{.kind = task.kind,
                  .seed = seed,
                  .outputs = task.outputs,
                  .hidden = task.hidden,
                  .train = task.train,
                  .validation = task.validation,
                  .test = task.test};
  if (task.kind == train::Task::binary) program.loss = binary_cross_entropy_with_logits;
  if (task.kind == train::Task::regression) program.loss = mse_loss;
  program.options = {.epochs = task.epochs,
                     .checkpoints = train::off,
                     .handle_signals = false,
                     .seed = seed,
                     .metrics_csv = train::off,
                     .sinks = {}};
  if (seed % 2 == 0) program.options.lr = 2e-3;
  if (task.kind == train::Task::regression) program.options.metrics = {train::R2{}};
  if (own) program.own_loop = OwnLoop{};
  return program;
}

}  // namespace faulty_runs
