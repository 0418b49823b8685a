// Prints a hash of the trained parameters of seeded runs: refactoring must not change a bit of them.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>

#include <handrail/handrail.h>

#include "support/hash.h"

using namespace handrail;
using train::off;

namespace {

constexpr Index rows = 700, features = 12, classes = 4;

train::TensorDataset make_data(bool regression) {
  Rng rng(7);
  Tensor x(Shape{rows, features}), y(regression ? Shape{rows, 1} : Shape{rows});
  std::span values(x.mutable_data(), static_cast<std::size_t>(x.size()));
  for (Scalar& value : values) value = static_cast<Scalar>(rng.normal());
  for (Index i = 0; i < rows; ++i) {
    const Scalar* row = x.data() + i * features;
    const double a = static_cast<double>(row[0] * row[1] + row[2]), b = static_cast<double>(row[3] - row[4] * row[5]);
    y.mutable_data()[i] =
        regression ? static_cast<Scalar>(std::sin(a) + b / 4) : static_cast<Scalar>((a > 0) * 2 + (b > 0));
  }
  return {x, y};
}

void print(const char* name, const nn::Module& model, const train::FitResult& result) {
  std::printf("%-24s %016llx  steps %lld lr %.9g rollbacks %lld skipped %lld anomalies %zu", name,
              static_cast<unsigned long long>(hash_of(model)), static_cast<long long>(result.steps), result.lr,
              static_cast<long long>(result.rollbacks), static_cast<long long>(result.skipped),
              result.anomalies.size());
  for (const auto& [kind, count] : result.anomaly_counts)
    std::printf(" %s:%lld", kind.c_str(), static_cast<long long>(count));
  std::printf(" best %.9g\n", result.best ? result.best->value : 0.0);
  std::fflush(stdout);
}

nn::Sequential mlp(std::uint64_t seed, Index outputs = classes) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{features, 48, rng}, nn::BatchNorm1d{48}, nn::ReLU{}, nn::Dropout{0.2},
                        nn::Linear{48, 32, rng},       nn::LayerNorm{32},   nn::GELU{}, nn::Linear{32, outputs, rng}};
}

nn::Sequential plain(std::uint64_t seed, Index outputs = classes) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{features, 32, rng}, nn::Tanh{}, nn::Linear{32, 32, rng}, nn::ReLU{},
                        nn::Linear{32, outputs, rng}};
}

class Stopping : public train::Trainer {
 public:
  using Trainer::Trainer;
  std::int64_t at = 0;

 protected:
  void on_step_end(const train::StepStats& stats) override {
    if (stats.step == at) stop();
  }
};

train::OptimizerFactory sgd() {
  return [](std::vector<optim::ParamGroup> groups) {
    return std::make_unique<optim::SGD>(std::move(groups), optim::SGDOptions{.momentum = 0.9});
  };
}

}  // namespace

int main() {
  const auto data = make_data(false), curve = make_data(true);
  const std::string dir = (std::filesystem::temp_directory_path() / "handrail_run_bits").string();
  std::filesystem::remove_all(dir);
  {
    auto model = mlp(1);
    train::Trainer trainer{model, cross_entropy, {.epochs = 4, .checkpoints = off, .metrics_csv = off, .sinks = {}}};
    print("dropout_and_norms", model, trainer.fit(data));
  }
  {
    auto model = mlp(2);
    train::Trainer trainer{model,
                           cross_entropy,
                           {.epochs = 3,
                            .batch_size = 16,
                            .accumulate_grad_batches = 3,
                            .lr = 3e-3,
                            .checkpoints = off,
                            .metrics_csv = off,
                            .sinks = {}}};
    print("accumulation", model, trainer.fit(data));
  }
  {
    auto model = plain(3);
    train::Trainer trainer{
        model,
        cross_entropy,
        {.epochs = 4, .optimizer = sgd(), .lr = 0.05, .checkpoints = off, .metrics_csv = off, .sinks = {}}};
    print("sgd", model, trainer.fit(data));
  }
  {
    auto model = plain(4, 1);
    train::Trainer trainer{
        model, mse_loss, {.epochs = 6, .batch_size = 64, .checkpoints = off, .metrics_csv = off, .sinks = {}}};
    print("regression_lr_finder", model, trainer.fit(curve));
  }
  {
    auto model = plain(5, 1);
    train::Trainer trainer{model,
                           mse_loss,
                           {.epochs = 8,
                            .optimizer = sgd(),
                            .lr = 30.0,
                            .lr_scaling = train::LrScaling::none,
                            .clip_norm = off,
                            .checkpoints = off,
                            .metrics_csv = off,
                            .sinks = {}}};
    print("diverging", model, trainer.fit(curve));
  }
  {
    auto model = mlp(6);
    const train::TrainerOptions options{
        .epochs = 4, .lr = 2e-3, .checkpoints = train::CheckpointOptions{.dir = dir}, .sinks = {}};
    Stopping trainer{model, cross_entropy, options};
    trainer.at = 29;
    const auto first = trainer.fit(data);
    auto again = mlp(6);
    train::Trainer other{again, cross_entropy, options};
    print("resumed", again, other.resume(first.run_dir, data));
  }
  {
    auto model = mlp(6);
    train::Trainer trainer{
        model, cross_entropy, {.epochs = 4, .lr = 2e-3, .checkpoints = off, .metrics_csv = off, .sinks = {}}};
    print("not_stopped", model, trainer.fit(data));
    const auto fixes = trainer.try_fix(data, {train::fixes::lower_lr(), train::fixes::clip_norm(0.5)}, {.steps = 40});
    std::printf("try_fix %s\n", fixes.text().c_str());
  }
  {
    auto model = mlp(8, 1);
    train::Trainer trainer{model,
                           mse_loss,
                           {.epochs = 3,
                            .batch_size = 50,
                            .accumulate_grad_batches = 2,
                            .lr = 1e-2,
                            .ema_beta = 0.9,
                            .val_check_interval = 5,
                            .patience = 2,
                            .checkpoints = off,
                            .metrics_csv = off,
                            .sinks = {}}};
    print("interval", model, trainer.fit(curve));
  }
  std::filesystem::remove_all(dir);
}
