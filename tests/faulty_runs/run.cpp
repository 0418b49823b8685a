#include <algorithm>
#include <cmath>
#include <limits>

#include "program.h"

namespace faulty_runs {
namespace {

// The subclass of Trainer that a user would write with these overrides.
class UserTrainer : public train::Trainer {
 public:
  UserTrainer(nn::Layer& model, const train::Loss& loss, const train::TrainerOptions& options,
              const Overrides& overrides)
      : Trainer(model, loss, options), layer_(model), overrides_(overrides) {}

 protected:
  train::StepOutput training_step(const train::Batch& batch) override {
    return overrides_.training_step ? overrides_.training_step(layer_, batch) : Trainer::training_step(batch);
  }
  train::StepOutput validation_step(const train::Batch& batch) override {
    return overrides_.validation_step ? overrides_.validation_step(layer_, batch) : Trainer::validation_step(batch);
  }
  Tensor predict_step(const Tensor& inputs) override {
    return overrides_.predict_step ? overrides_.predict_step(layer_, inputs) : Trainer::predict_step(inputs);
  }
  std::unique_ptr<optim::Optimizer> configure_optimizer() override {
    return overrides_.optimizer ? overrides_.optimizer(layer_) : Trainer::configure_optimizer();
  }
  optim::Schedule configure_schedule(double lr, std::int64_t planned_steps) override {
    return overrides_.schedule ? overrides_.schedule(lr, planned_steps)
                               : Trainer::configure_schedule(lr, planned_steps);
  }
  void on_step_end(const train::StepStats& stats) override {
    if (overrides_.after_step) overrides_.after_step(layer_, stats.step);
  }
  void on_epoch_start(Index epoch) override {
    if (overrides_.before_epoch) overrides_.before_epoch(layer_, epoch);
  }

 private:
  nn::Layer& layer_;
  const Overrides& overrides_;
};

train::TensorDataset data_set(const Program& program, const Table& table) {
  return {table.x, table.y, {.check_finite = !program.allow_non_finite}};
}

std::vector<double> answers(const Program& program, const Tensor& outputs) {
  if (program.answers) return program.answers(outputs);
  std::vector<double> all;
  if (program.kind == train::Task::multiclass) {
    for (const Index row : train::argmax(outputs)) all.push_back(static_cast<double>(row));
    return all;
  }
  const bool binary = program.kind == train::Task::binary;
  for (const Scalar value : outputs.span())
    all.push_back(binary ? (value > 0 ? 1.0 : 0.0) : static_cast<double>(value));
  return all;
}

void measure(const Program& program, const Tensor& outputs, Ran& ran) {
  constexpr double worst = -4;  // credit of a row, so that one row does not decide
  const std::vector<double> given = answers(program, outputs);
  const auto targets = program.test.y.span();
  double mean = 0, variance = 0;
  for (const Scalar y : targets) mean += static_cast<double>(y) / static_cast<double>(targets.size());
  for (const Scalar y : targets)
    variance += std::pow(static_cast<double>(y) - mean, 2) / static_cast<double>(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const double error = i < given.size() ? given[i] - static_cast<double>(targets[i]) : 1e9;
    const double credit =
        program.kind == train::Task::regression ? 1 - error * error / variance : (std::abs(error) < 0.5 ? 1.0 : 0.0);
    ran.credits.push_back(static_cast<float>(credit > worst ? credit : worst));  // NaN is the worst
    ran.score += static_cast<double>(ran.credits.back()) / static_cast<double>(targets.size());
  }
}

void run_own_loop(const Program& program, const nn::Layer& model, Ran& ran) {
  const OwnLoop& own = *program.own_loop;
  const auto make_optimizer = [&]() -> std::unique_ptr<optim::Optimizer> {
    if (own.optimizer) return own.optimizer(model);
    return std::make_unique<optim::AdamW>(optim::decay_groups(model.parameters(), 0.01));
  };
  auto optimizer = make_optimizer();
  train::Watch watch(model, *optimizer, {.rows = program.train.rows()});
  const Index batches = (program.train.rows() + 31) / 32;
  const std::int64_t planned = program.options.epochs * batches;
  const double lr = program.options.lr ? *program.options.lr : 2e-3;
  const optim::Schedule schedule =
      own.schedule ? own.schedule(lr, planned)
                   : optim::warmup_cosine({.peak = lr, .warmup_steps = planned / 20, .total_steps = planned});
  Rng rng = program.rng(1);
  std::int64_t step = 0;
  for (Index epoch = 1; epoch <= program.options.epochs; ++epoch) {
    if (own.before_epoch) own.before_epoch(model);
    const std::vector<Index> order = own.shuffle ? shuffled(program.train.rows(), rng) : numbers(program.train.rows());
    for (Index b = 0; b < batches; ++b) {
      ++step;
      const Index from = 32 * (own.pick_batch ? own.pick_batch(b) : b);
      const Index to = std::min(from + 32, program.train.rows());
      const Table rows = pick(program.train, {order.begin() + from, order.begin() + to});
      if (own.change_batch) own.change_batch({rows.x, rows.y}, b);
      if (own.new_optimizer_each_step) optimizer = make_optimizer();
      if (own.zero_grad && b % own.batches_per_step == 0) optimizer->zero_grad();
      if (!own.step_after_backward) optimizer->step(schedule(step));
      const RandomPosition position{.seed = program.seed, .position = static_cast<std::uint64_t>(step)};
      std::optional<Tape> tape;
      if (own.random_position)
        tape.emplace(own.mode, position);
      else
        tape.emplace(own.mode);
      Tensor loss = program.loss(model(rows.x), rows.y);
      if (own.change_loss) loss = own.change_loss(loss);
      watch.step(loss, rows.x, rows.y);
      if (own.before_backward) own.before_backward(model);
      tape->backward(loss);
      if (own.step_after_backward && (b + 1) % own.batches_per_step == 0) optimizer->step(schedule(step));
      if (own.after_step) own.after_step(model);
    }
  }
  ran.diagnosis = watch.diagnosis();
  ran.text = watch.diagnosis_text();
}

Ran run_once(const Program& program) {
  Ran ran{.validation_rows = program.validation.rows()};
  Rng rng(program.seed);
  nn::Sequential model = program.model(rng);
  if (program.own_loop) {
    run_own_loop(program, model, ran);
    measure(program, model(program.test.x), ran);
    return ran;
  }
  UserTrainer trainer(model, program.loss, program.options, program.overrides);
  const std::unique_ptr<train::Dataset> train_set =
      program.training_set ? program.training_set(program.train)
                           : std::make_unique<train::TensorDataset>(data_set(program, program.train));
  const train::FitResult result =
      program.own_split ? trainer.fit(*train_set, data_set(program, program.validation)) : trainer.fit(*train_set);
  ran.diagnosis = result.diagnosis();
  ran.text = result.diagnosis_text();
  const auto& evaluation = result.best ? std::optional(result.best->evaluation) : result.validation;
  for (const train::RepairAttempt& attempt : result.repairs) {
    ++ran.further_fits;
    ran.attempts += "  " + attempt.fix + " for " + attempt.anomaly + ": " + std::to_string(attempt.before) + " -> " +
                    std::to_string(attempt.after) + (attempt.kept ? " kept" : " ") + attempt.problem + "\n";
    if (attempt.kept) ran.kept += (ran.kept.empty() ? "" : ", ") + attempt.fix;
  }
  if (evaluation) {
    ran.validation_loss = evaluation->loss;
    ran.reported = evaluation->measured_accuracy;
    for (const auto& metric : evaluation->metrics)
      if (metric.name == "r2") ran.reported = metric.value;
  }
  measure(program, trainer.predict(program.test.x), ran);
  return ran;
}

}  // namespace

train::TrainerOptions random_options(train::TrainerOptions options, Rng& rng) {
  const auto between = [&rng](double low, double high) {
    return low * std::pow(high / low, static_cast<double>(rng.below(1001)) / 1000);
  };
  options.lr = between(1e-4, 0.1);
  options.batch_size = Index{16} << rng.below(4);
  options.optimizer = rng.below(2) == 0 ? train::OptimizerFactory{} : train::with<optim::SGD>({.momentum = 0.9});
  options.weight_decay = between(1e-4, 0.3);
  options.clip_norm = between(0.1, 10);
  options.warmup = between(0.01, 0.1);
  options.epochs *= Index{1} << rng.below(3);
  return options;
}

Ran run(const Program& program) {
  Ran best = run_once(program);
  Rng rng = program.rng(program.search_salt);
  for (Index i = 0; i < program.random_search; ++i) {
    Program other = program;
    other.options = random_options(program.options, rng);
    Ran ran = run_once(other);
    if (ran.validation_loss < best.validation_loss) best = std::move(ran);
  }
  return best;
}

}  // namespace faulty_runs
