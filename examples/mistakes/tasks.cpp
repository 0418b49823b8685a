#include "tasks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

namespace gallery {
namespace {

train::TensorDataset normalised(const train::Dataset& data, const train::Normalization& constants) {
  const train::Batch all = train::empty_batch(data, data.size());
  data.gather_normalized(train::all_rows(data), constants, all);
  return {all.inputs, all.targets};
}

}  // namespace

Digits digits(std::uint64_t seed) {
  static const auto all = train::load_idx(EXAMPLES_DATA "digits-images-idx3-ubyte",
                                          EXAMPLES_DATA "digits-labels-idx1-ubyte", {.classes = 10, .flatten = true});
  const auto [train_set, test_set] = train::stratified_split(all, 0.2, seed);
  const auto constants = train_set.fit_normalization(train::all_rows(train_set));
  return {normalised(train_set, *constants), normalised(test_set, *constants)};
}

nn::Sequential mlp(std::initializer_list<Index> widths, std::uint64_t seed) {
  Rng rng(seed);
  nn::Sequential model;
  for (const Index* width = widths.begin(); width + 1 != widths.end(); ++width) {
    if (width != widths.begin()) model.push_back(nn::ReLU{});
    model.push_back(nn::Linear{width[0], width[1], rng});
  }
  return model;
}

double loss_on(const train::TensorDataset& data, const nn::Layer& model, train::Loss::Function* loss) {
  const InferenceMode inference;
  return static_cast<double>(loss(model(data.inputs()), data.targets()).item());
}

std::vector<double> bare_loop(const nn::Layer& model, const train::TensorDataset& data, optim::Optimizer& optimizer,
                              const optim::Schedule& lr, const LoopOptions& options) {
  std::vector<double> losses;
  train::Loader loader(data, {.batch_size = options.batch_size, .shuffle_seed = options.seed});
  std::int64_t step = 0;
  for (Index epoch = 1; epoch <= options.epochs; ++epoch) {
    loader.start_epoch(epoch);
    for (Index i = 0; i < loader.size() && step < options.most_steps; ++i) {
      const train::Batch batch = loader.batch(i);
      optimizer.zero_grad();
      Tape tape(Mode::train, {.seed = options.seed, .position = static_cast<std::uint64_t>(step)});
      const Tensor loss = cross_entropy(model(batch.inputs), batch.targets);
      losses.push_back(static_cast<double>(loss.item()));
      if (!std::isfinite(losses.back())) return losses;
      tape.backward(loss);
      optimizer.step(lr(++step), 1, false);
    }
  }
  return losses;
}

train::TrainerOptions defaults(Index epochs, std::uint64_t seed) {
  return {.epochs = epochs, .checkpoints = train::off, .seed = seed, .metrics_csv = train::off, .sinks = {}};
}

Fit fit(nn::Layer& model, const train::TensorDataset& data, train::TrainerOptions options, train::Loss loss) {
  const auto events = std::make_shared<train::MemorySink>();
  options.sinks.push_back(events);
  Fit fit{.result = train::Trainer(model, std::move(loss), options).fit(data), .losses = {}};
  for (const train::StepStats& step : events->steps) fit.losses.push_back(step.loss);
  return fit;
}

double peak(const std::vector<double>& losses, std::size_t first) {
  double highest = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min(first, losses.size()); ++i) {
    if (std::isnan(losses[i])) return losses[i];
    highest = std::max(highest, losses[i]);
  }
  return highest;
}

std::string text(double figure) {
  if (std::isnan(figure)) return "nan";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g", figure);
  return buffer;
}

std::string course(const std::vector<double>& losses) {
  const double first = losses.front(), last = losses.back();
  const double highest = losses.size() > 1 ? peak({losses.begin(), losses.end() - 1}) : first;
  std::string course = text(first);
  if (highest > 1.2 * std::max(first, last)) course += " -> " + text(highest);
  course += " -> " + text(last);
  if (!std::isfinite(last)) course += " at step " + std::to_string(losses.size());
  return course;
}

}  // namespace gallery
