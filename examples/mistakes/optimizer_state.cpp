// O3 and O6: moments that start wrong, in rules of one's own.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "pairs_o.h"
#include "tasks.h"

namespace gallery {
namespace {

using train::with;

// m and v start at 0 and are used as they are: m is too small by 1 - beta1^t, sqrt(v) by sqrt(1 - beta2^t).
class UncorrectedAdam final : public optim::Optimizer {
 public:
  struct Options {};
  explicit UncorrectedAdam(std::vector<optim::ParamGroup> groups, Options = {}) : Optimizer(std::move(groups), 2) {}
  const char* name() const override { return "Adam without bias correction"; }
  double default_lr() const override { return 1e-3; }
  double max_lr() const override { return 1; }
  optim::BatchScaling batch_scaling() const override { return optim::BatchScaling::sqrt; }

 private:
  void update(const Piece& piece, const Step& step) const override {
    constexpr double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    for (std::size_t i = 0; i < piece.weights.size(); ++i) {
      const double g = step.grad_scale * static_cast<double>(piece.gradient[i]);
      const double m = beta1 * static_cast<double>(piece.slots[0][i]) + (1 - beta1) * g;
      const double v = beta2 * static_cast<double>(piece.slots[1][i]) + (1 - beta2) * g * g;
      const double decayed = static_cast<double>(piece.weights[i]) * (1 - step.rate * step.weight_decay);
      piece.slots[0][i] = static_cast<Scalar>(m);
      piece.slots[1][i] = static_cast<Scalar>(v);
      piece.weights[i] = static_cast<Scalar>(decayed - step.rate * m / (std::sqrt(v) + eps));
    }
  }
};

using Weights = std::vector<Tensor>;

Weights copy_of(const nn::Module& model) {
  Weights copies;
  for (const Parameter& p : model.parameters()) copies.push_back(p.tensor.clone());
  return copies;
}

// Of a single weight since then.
double largest_move(const nn::Module& model, const Weights& before) {
  double largest = 0;
  const auto parameters = model.parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p)
    for (std::size_t i = 0; i < before[p].span().size(); ++i)
      largest = std::max(largest, std::abs(static_cast<double>(parameters[p].tensor.span()[i] - before[p].span()[i])));
  return largest;
}

// Looks on as a Trainer makes its first update.
class FirstUpdate final : public train::LogSink {
 public:
  explicit FirstUpdate(const nn::Module& model) : model_(model) {}
  void fit_start(const train::FitStart&) override { before_ = copy_of(model_); }
  void step_end(const train::StepStats& stats) override {
    if (stats.step == 1) in_rates_ = largest_move(model_, before_) / stats.lr;
  }
  double in_rates() const { return in_rates_; }

 private:
  const nn::Module& model_;
  Weights before_;
  double in_rates_ = 0;
};

constexpr double rate = 0.03;
constexpr std::size_t early = 30;
constexpr Index few_epochs = 3;

// The largest move of a weight in the first update at the rate, in units of it, and the early losses.
template <class Rule>
std::pair<double, std::vector<double>> start_of(const train::TensorDataset& data, std::uint64_t seed) {
  const auto run = [&](const nn::Sequential& model, std::int64_t steps) {
    Rule optimizer(optim::decay_groups(model.parameters(), 0.01));
    return bare_loop(model, data, optimizer, optim::constant(rate),
                     {.epochs = few_epochs, .seed = seed, .most_steps = steps});
  };
  const nn::Sequential one_step = mlp({64, 64, 64, 64, 10}, seed);
  const Weights before = copy_of(one_step);
  run(one_step, 1);
  return {largest_move(one_step, before) / rate, run(mlp({64, 64, 64, 64, 10}, seed), early)};
}

Outcome uncorrected(std::uint64_t seed) {
  const Digits data = digits(seed);
  const auto failed = [](const std::vector<double>& losses) { return exceeds(peak(losses, early), 2 * losses[0]); };
  const auto evidence = [](double moved, const std::vector<double>& losses) {
    return concat("first step ", std::round(100 * moved) / 100, " x lr, loss ", text(losses[0]), " -> ",
                  text(peak(losses, early)));
  };
  // The same loop with the corrected rule tells that it is the correction that matters.
  const auto wrong = [&] {
    const auto [moved, losses] = start_of<UncorrectedAdam>(data.train, seed);
    const auto corrected = start_of<optim::AdamW>(data.train, seed).second;
    return Side{failed(losses), evidence(moved, losses) + " (corrected " + text(peak(corrected)) + ")"};
  };
  const auto handrail = [&] {
    nn::Sequential model = mlp({64, 64, 64, 64, 10}, seed);
    const auto first_update = std::make_shared<FirstUpdate>(model);
    auto options = defaults(few_epochs, seed);
    options.lr = rate;
    options.sinks = {first_update};
    const Fit run = fit(model, data.train, options);
    return Side{failed(run.losses), evidence(first_update->in_rates(), run.losses)};
  };
  return {wrong(), handrail()};
}

// SGD with momentum 0.9 whose velocity is memory as it comes: that of tensors that are gone.
class UninitialisedMomentum final : public optim::Optimizer {
 public:
  struct Options {};
  explicit UninitialisedMomentum(std::vector<optim::ParamGroup> groups, Options = {})
      : Optimizer(std::move(groups), 0) {
    for (const optim::ParamGroup& group : this->groups())
      for (const Parameter& p : group.params) {
        const Tensor velocity(p.tensor.shape());
        states_.push_back({p.tensor.span(), velocity, velocity.mutable_data()});
      }
  }
  const char* name() const override { return "SGD with uninitialised momentum"; }
  double default_lr() const override { return 1e-2; }

 private:
  struct State {
    std::span<const Scalar> weights;
    Tensor velocity;
    Scalar* data;
  };
  // The piece's part of the velocity.
  Scalar* velocity_of(const Piece& piece) const {
    const Scalar* weights = piece.weights.data();
    const std::less<> before;
    for (const State& state : states_) {
      const Scalar *begin = state.weights.data(), *end = begin + state.weights.size();
      if (!before(weights, begin) && before(weights, end)) return state.data + (weights - begin);
    }
    fail<OptionError>("update: want a parameter of this optimizer; got another one");
  }
  void update(const Piece& piece, const Step& step) const override {
    Scalar* velocity = velocity_of(piece);
    for (std::size_t i = 0; i < piece.weights.size(); ++i) {
      velocity[i] = static_cast<Scalar>(0.9 * static_cast<double>(velocity[i]) +
                                        step.grad_scale * static_cast<double>(piece.gradient[i]));
      piece.weights[i] -= static_cast<Scalar>(step.rate * static_cast<double>(velocity[i]));
    }
  }

  std::vector<State> states_;
};

Outcome uninitialised(std::uint64_t seed) {
  constexpr std::size_t first_updates = 30;
  constexpr Index batch_size = 64, epochs = 5;
  const Digits data = digits(seed);
  const auto judge = [&](const nn::Layer& model, const std::vector<double>& losses) {
    return Side{exceeds(peak(losses, first_updates), 1.5 * losses[0]),
                concat("loss ", text(losses[0]), " -> ", text(peak(losses, first_updates)), ", held out at the end ",
                       text(loss_on(data.test, model)))};
  };
  const auto wrong = [&] {
    const nn::Sequential model = mlp({64, 64, 10}, seed);
    {
      // A look at one batch, as one takes before training: its tensors' memory is free afterwards.
      Tape tape;
      const train::Batch batch = train::first_samples(data.train, batch_size);
      tape.backward(cross_entropy(model(batch.inputs), batch.targets));
    }
    UninitialisedMomentum optimizer(optim::decay_groups(model.parameters(), 0));
    const auto losses = bare_loop(model, data.train, optimizer, optim::constant(0.2),
                                  {.epochs = epochs, .batch_size = batch_size, .seed = seed});
    return judge(model, losses);
  };
  const auto handrail = [&] {
    nn::Sequential model = mlp({64, 64, 10}, seed);
    auto options = defaults(epochs, seed);
    options.batch_size = batch_size;
    options.optimizer = with<optim::SGD>({.momentum = 0.9});
    options.lr = 0.1;  // 0.2 for batches of 64
    const Fit run = fit(model, data.train, options);
    return judge(model, run.losses);
  };
  return {wrong(), handrail()};
}

}  // namespace

Row o3() {
  return {.id = "O3",
          .mistake = "Adam without bias correction",
          .wrong_way = "a rule of one's own that uses m and v as they are, at a rate of 0.03",
          .criterion = "one of the first 30 losses is not finite or above twice the first",
          .opt_out = ".optimizer = with<UncorrectedAdam>()",
          .give_up = [](train::TrainerOptions& options) { options.optimizer = with<UncorrectedAdam>(); },
          .summary_line = "default optimizer",
          .run = uncorrected};
}

Row o6() {
  return {.id = "O6",
          .mistake = "momentum not initialised",
          .wrong_way = "a rule of one's own whose velocity starts as what the memory held before",
          .criterion = "one of the first 30 losses is not finite or above 1.5 times the first",
          .opt_out = ".optimizer = with<UninitialisedMomentum>()",
          .give_up = [](train::TrainerOptions& options) { options.optimizer = with<UninitialisedMomentum>(); },
          .summary_line = "default optimizer",
          .run = uninitialised};
}

}  // namespace gallery
