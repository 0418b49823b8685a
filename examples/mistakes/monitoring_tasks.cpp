#include "monitoring_tasks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gallery {

void WatchedLoop::run(const nn::Layer& model, const train::Dataset& data, optim::Optimizer& optimizer,
                      const optim::Schedule& lr) const {
  train::Loader loader(data, {.batch_size = batch_size, .shuffle_seed = seed});
  std::int64_t step = 0;
  for (Index epoch = 1; epoch <= epochs; ++epoch) {
    loader.start_epoch(epoch);
    for (Index i = 0; i < loader.size(); ++i) {
      ++step;
      const train::Batch batch = loader.batch(i);
      if (before_step) before_step(step, batch);
      optimizer.zero_grad();
      Tape tape;
      const Tensor mean_loss = loss(model(batch.inputs), batch.targets);
      tape.backward(mean_loss);
      optimizer.step(lr(step), 1, false);
      if (after_step && !after_step(step, static_cast<double>(mean_loss.item()))) return;
    }
  }
}

Readings readings(std::uint64_t seed, double wild) {
  Rng rng({.seed = seed, .stream = Stream::user});
  const auto draw = [&](Index rows, double share) {
    const Tensor inputs = normal({rows, 4}, 0, 1, rng), targets({rows, 1});
    Scalar* y = targets.mutable_data();
    for (Index row = 0; row < rows; ++row) {
      const Scalar* x = inputs.data() + 4 * row;
      double reading = std::sin(static_cast<double>(x[0])) + static_cast<double>(x[1] * x[2]) / 2 +
                       static_cast<double>(x[3]) + 0.1 * rng.normal();
      if (rng.uniform() < share) reading += 300 * rng.normal();
      y[row] = static_cast<Scalar>(reading);
    }
    return train::TensorDataset(inputs, targets);
  };
  train::TensorDataset train_set = draw(1000, wild);
  return {std::move(train_set), draw(300, 0)};
}

std::vector<optim::ParamGroup> one_group(const nn::Module& model) { return optim::decay_groups(model.parameters(), 0); }

train::TensorDataset first_rows(const train::TensorDataset& data, Index count) {
  const train::Batch batch = train::first_samples(data, count);
  return {batch.inputs, batch.targets};
}

double accuracy_on(const train::TensorDataset& data, const nn::Layer& model) {
  const auto right = train::count_correct(train::Task::multiclass, model(data.inputs()), data.targets());
  return static_cast<double>(right.value()) / static_cast<double>(data.size());
}

bool same_bits(const train::ModelState& a, const train::ModelState& b) {
  return std::ranges::equal(a.parameters, b.parameters, [](const auto& x, const auto& y) {
    const auto one = x.second.span(), other = y.second.span();
    return x.first == y.first && one.size() == other.size() &&
           std::memcmp(one.data(), other.data(), one.size_bytes()) == 0;
  });
}

std::string percent(double share) { return concat(std::lround(100 * share), " %"); }

train::TrainerOptions defaults(Index epochs, std::uint64_t seed, std::shared_ptr<train::LogSink> sink) {
  train::TrainerOptions options = defaults(epochs, seed);
  options.sinks = {std::move(sink)};
  return options;
}

const train::Anomaly* find(const std::vector<train::Anomaly>& anomalies, const std::string& name,
                           const std::string& where) {
  const auto found = std::ranges::find_if(anomalies, [&](const train::Anomaly& anomaly) {
    return anomaly.name == name && (where.empty() || anomaly.where == where);
  });
  return found == anomalies.end() ? nullptr : &*found;
}

}  // namespace gallery
