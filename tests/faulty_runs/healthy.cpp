#include "healthy.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace faulty_runs {
namespace {

using train::Task;

template <class T>
T one_of(Rng& rng, std::initializer_list<T> values) {
  return values.begin()[rng.below(values.size())];
}
bool chance(Rng& rng, double share) { return rng.uniform() < share; }

struct Architecture {
  std::vector<Index> hidden;
  Act activation;
  int norm;  // 0 for none, 1 for layer norm, 2 for batch norm
  double dropout;
  bool standardise;
};

nn::Sequential build(const Architecture& a, const Program& p, Rng& rng) {
  nn::Sequential model;
  if (a.standardise) model.push_back(nn::Standardize::fit(p.train.x));
  Index width = p.train.columns();
  for (const Index units : a.hidden) {
    model.push_back(nn::Linear{width, units, rng});
    if (a.norm == 1) model.push_back(nn::LayerNorm{units});
    if (a.norm == 2) model.push_back(nn::BatchNorm1d{units});
    push(model, a.activation);
    if (a.dropout > 0) model.push_back(nn::Dropout{a.dropout});
    width = units;
  }
  model.push_back(nn::Linear{width, p.outputs, rng});
  return model;
}

// Sizes and an activation that a network of this depth can be trained with.
Architecture draw_architecture(Rng& rng, std::string& text) {
  Architecture a{};
  const Index depth = one_of<Index>(rng, {1, 1, 2, 2, 2, 3, 4});
  const Index width = one_of<Index>(rng, {16, 32, 48, 64, 96, 128});
  for (Index i = 0; i < depth; ++i) a.hidden.push_back(std::max<Index>(16, width >> (chance(rng, 0.3) ? i : 0)));
  a.activation = one_of(rng, {Act::relu, Act::relu, Act::relu, Act::gelu, Act::tanh, Act::softplus});
  if (depth == 1 && chance(rng, 0.1)) a.activation = Act::sigmoid;
  a.norm = one_of(rng, {0, 0, 0, 1, 2});
  a.dropout = width >= 32 ? one_of(rng, {0.0, 0.0, 0.0, 0.1, 0.2}) : 0.0;
  constexpr const char* names[] = {"none", "relu", "gelu", "tanh", "sigmoid", "softplus"};
  constexpr const char* norms[] = {"", " layer norm", " batch norm"};
  for (const Index units : a.hidden) text += concat(text.ends_with(' ') ? "" : "-", units);
  text += concat(" ", names[static_cast<int>(a.activation)], norms[a.norm]);
  if (a.dropout > 0) text += concat(" dropout ", a.dropout);
  return a;
}

void draw_optimizer(Program& p, Rng& rng, std::string& text) {
  const int rule = one_of(rng, {0, 0, 0, 0, 1, 2, 3});
  const bool given = chance(rng, 0.5);
  if (rule == 0 && given) p.options.lr = one_of(rng, {1e-3, 2e-3, 4e-3});
  if (rule == 1) {
    p.options.optimizer = train::with<optim::Adam>({});
    p.options.weight_decay = train::off;
    if (given) p.options.lr = one_of(rng, {1e-3, 3e-3});
  }
  if (rule == 2) {
    p.options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
    if (given) p.options.lr = one_of(rng, {0.02, 0.05});
  }
  if (rule == 3) {
    p.options.optimizer = train::with<optim::SGD>({});
    if (given) p.options.lr = one_of(rng, {0.1, 0.2});
  }
  if (!given) p.options.lr = train::automatic;
  constexpr const char* rules[] = {"AdamW", "Adam", "SGD with momentum", "SGD"};
  text += concat(", ", rules[rule], " ", p.options.lr ? concat(*p.options.lr) : std::string("auto"));
}

// Losses of a subclass, and other losses of the library.
void draw_loss(Program& p, Rng& rng, std::string& text) {
  if (chance(rng, 0.6)) return;
  if (p.kind == Task::multiclass) {
    text += ", label smoothing in a subclass";
    p.overrides.training_step = [](const nn::Layer& model, const train::Batch& batch) {
      const Tensor logits = model(batch.inputs);
      return train::StepOutput{.loss = 0.9 * cross_entropy(logits, batch.targets) - 0.1 * mean(log_softmax(logits)),
                               .predictions = logits};
    };
  } else if (p.kind == Task::binary) {
    text += ", a loss of its own";
    p.loss = train::Loss([](const Tensor& y, const Tensor& t) { return mean(softplus(y) - y * t); }, Task::binary);
  } else if (chance(rng, 0.5)) {
    text += ", huber_loss";
    p.loss = static_cast<Tensor (*)(const Tensor&, const Tensor&)>(huber_loss);
  } else {
    text += ", a penalty of its own";
    p.overrides.training_step = [](const nn::Layer& model, const train::Batch& batch) {
      const Tensor outputs = model(batch.inputs);
      const Tensor first = model.parameters().front().tensor;
      return train::StepOutput{.loss = mse_loss(outputs, batch.targets) + 1e-4 * sum(square(first)),
                               .predictions = outputs};
    };
  }
}

void draw_monitor(Program& p, Rng& rng, std::string& text) {
  if (chance(rng, 0.7)) return;
  p.options.mode = train::MonitorMode::max;
  if (p.kind == Task::regression) {
    p.options.monitor = "val_r2";
  } else if (p.kind == Task::binary || chance(rng, 0.5)) {
    p.options.monitor = "val_accuracy";
  } else {
    p.options.metrics = {train::F1{}};
    p.options.monitor = "val_f1";
  }
  text += concat(", ", p.options.monitor);
}

// Columns as tables have them: amounts with a heavy tail, a rare yes, whole years, a sum of two others.
void add_natural_columns(Program& p, Rng& rng) {
  p.everywhere([&](Table& t) {
    add_column(t, [&](Index) { return (std::exp(rng.normal()) - 1.6) / 2.2; });
    add_column(t, [&](Index) { return rng.uniform() < 0.03 ? 1.0 : 0.0; });
    add_column(t, [&](Index) { return (std::floor(rng.uniform(18, 90)) - 54) / 21; });
    add_column(t, [&](Index) { return rng.uniform() < 0.7 ? -0.5 : std::exp(0.7 * rng.normal()); });
    add_column(t, [&](Index i) { return static_cast<double>(t.x.at({i, 0}) + t.x.at({i, 1})) / 1.4; });
  });
}

// Fewer rows, other columns and units, or a split by the library.
void draw_data(Program& p, Architecture& a, Rng& rng, std::string& text) {
  if (p.train.rows() > 400 && chance(rng, 0.25)) {
    p.train = pick(p.train, numbers(p.train.rows() / 2));
    text += ", half of the rows";
  }
  if (chance(rng, 0.25)) {
    add_natural_columns(p, rng);
    text += ", natural columns";
  }
  if (chance(rng, 0.2)) {
    const double factor = one_of(rng, {0.01, 30.0, 1000.0});
    p.everywhere([&](Table& t) { t.x = t.x * factor + 5 * factor; });
    a.standardise = true;
    text += concat(", raw x ", factor, " with Standardize");
  }
  if (chance(rng, 0.3)) {
    p.train = join(p.train, p.validation);
    p.own_split = false;
    text += ", split";
  }
}

}  // namespace

Variant healthy_variant(const TaskKind& task, std::uint64_t task_seed, std::uint64_t number) {
  Rng rng(StreamKey{.seed = number, .stream = Stream::user, .position = 100});
  const Index size = chance(rng, 0.1) ? 5 : 1;
  Variant variant{.description = concat(task.name, size > 1 ? " large " : " ", task_seed, ": "),
                  .program = healthy_program(task.draw(task_seed, size), task_seed, false)};
  Program& p = variant.program;
  std::string& text = variant.description;
  p.seed = p.options.seed = number;
  Architecture a = draw_architecture(rng, text);
  draw_optimizer(p, rng, text);
  draw_loss(p, rng, text);
  draw_monitor(p, rng, text);
  draw_data(p, a, rng, text);
  p.make_model = [a](const Program& q, Rng& weights) { return build(a, q, weights); };

  p.options.batch_size = one_of<Index>(rng, {8, 16, 32, 32, 32, 64, 128});
  // A last batch of one row has no variance.
  p.options.drop_last = a.norm == 2 && p.options.batch_size <= p.train.rows() / 2;
  if (p.options.batch_size <= 32 && chance(rng, 0.1)) p.options.accumulate_grad_batches = 2;
  constexpr Index min_steps = 800;
  const Index rows_per_step = p.options.batch_size * p.options.accumulate_grad_batches;
  p.options.epochs = std::clamp<Index>(min_steps * rows_per_step / p.train.rows(), 15, 150);
  if (chance(rng, 0.2)) p.options.clip_norm = train::off;
  if (chance(rng, 0.2)) p.options.decay = train::Decay::linear;
  if (chance(rng, 0.1)) p.options.weight_decay = 0.05;
  text += concat(", batch ", p.options.batch_size, " x ", p.options.accumulate_grad_batches, ", ", p.options.epochs,
                 " epochs", p.options.clip_norm ? "" : ", no clip");
  return variant;
}

}  // namespace faulty_runs
