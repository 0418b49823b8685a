#include <cmath>
#include <limits>

#include <doctest/doctest.h>
#include <handrail/handrail.h>

#include "support/check_throws.h"
#include "support/hash.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

constexpr Scalar nan_value = std::numeric_limits<Scalar>::quiet_NaN();

// Points in the plane, class 1 right of a line.
train::TensorDataset points(Index count, std::uint64_t seed = 1) {
  Rng rng(seed);
  const Tensor inputs = normal({count, 2}, 0, 1, rng), targets(Shape{count});
  for (Index i = 0; i < count; ++i)
    targets.mutable_data()[i] = inputs.at({i, 0}) + inputs.at({i, 1}) > 0 ? Scalar(1) : Scalar(0);
  return {inputs, targets};
}

nn::Sequential small_model(std::uint64_t seed = 1) {
  Rng rng(seed);
  return nn::Sequential{nn::Linear{2, 16, rng}, nn::ReLU{}, nn::Linear{16, 2, rng}};
}

// Every kind of layer whose bits could depend on threads or on hidden state, wide enough that all
// kernels share their work out.
struct Everything : nn::Layer {
  explicit Everything(Rng& rng)
      : in(add("in", nn::Linear{64, 256, rng})),
        batch_norm(add("batch_norm", nn::BatchNorm1d{256})),
        dropout(add("dropout", nn::Dropout{0.3})),
        hidden(add("hidden", nn::Linear{256, 256, rng})),
        layer_norm(add("layer_norm", nn::LayerNorm{256})),
        out(add("out", nn::Linear{256, 10, rng})) {}
  Tensor forward(const Tensor& x) const override {
    return out(gelu(layer_norm(hidden(dropout(relu(batch_norm(in(x))))))));
  }
  nn::Linear& in;
  nn::BatchNorm1d& batch_norm;
  nn::Dropout& dropout;
  nn::Linear& hidden;
  nn::LayerNorm& layer_norm;
  nn::Linear& out;
};

std::uint64_t hash_of_200_steps(int threads) {
  set_num_threads(threads);
  Rng rng(3);
  const Tensor inputs = normal({1000, 64}, 0, 1, rng), targets(Shape{1000});
  for (Scalar& target : targets.mutable_span()) target = static_cast<Scalar>(rng.below(10));
  Everything model(rng);
  // 900 rows in batches of 128: the last one has 4.
  train::Trainer trainer{model, cross_entropy, {.epochs = 25, .batch_size = 128, .sinks = {}}};
  const auto result = trainer.fit(train::TensorDataset(inputs, targets));
  CHECK(result.steps == 200);
  set_num_threads(1);
  return hash_of(model);
}

}  // namespace

TEST_CASE("the shortest program learns, validates and reports") {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  train::Trainer trainer{model, cross_entropy, {.epochs = 10, .lr = 0.01, .sinks = {log}}};
  const auto result = trainer.fit(points(1000));

  CHECK(result.reason == train::StopReason::finished);
  CHECK(result.epochs == 10);
  CHECK(result.steps == 10 * 29);  // 900 rows in batches of 32: 28 full and one of 4
  CHECK(result.skipped == 0);
  REQUIRE(result.validation);
  CHECK(result.validation->samples == 100);
  CHECK(*result.validation->accuracy > 0.95);
  const auto test = trainer.evaluate(points(500, 2));
  CHECK(*test.accuracy > 0.95);
  CHECK(test.loss < 0.2);

  REQUIRE(log->starts.size() == 1);
  CHECK(log->starts[0].planned_steps == 290);
  CHECK(log->steps.size() == 290);
  CHECK(log->epochs.size() == 10);
  CHECK(log->results.size() == 1);
}

TEST_CASE("what is on by default is named in the summary, and what is off is marked") {
  const auto summary = [](TrainerOptions options) {
    auto model = small_model();
    const auto log = std::make_shared<train::MemorySink>();
    options.sinks = {log};
    train::Trainer(model, cross_entropy, options).fit(points(100));
    return log->starts.at(0).summary;
  };
  const auto is_off = [](const std::vector<train::SummaryItem>& items, const std::string& name) {
    for (const auto& item : items)
      if (item.name == name) return item.off;
    FAIL("no summary line called ", name);
    return false;
  };
  const auto defaults = summary({.epochs = 1});
  for (const char* name : {"validation", "warmup", "lr decay", "weight decay", "clip", "non-finite"})
    CHECK_FALSE(is_off(defaults, name));
  CHECK(is_off(summary({.epochs = 1, .validation_split = off}), "validation"));
  CHECK(is_off(summary({.epochs = 1, .warmup = off}), "warmup"));
  CHECK(is_off(summary({.epochs = 1, .decay = train::Decay::constant}), "lr decay"));
  CHECK(is_off(summary({.epochs = 1, .weight_decay = off}), "weight decay"));
  CHECK(is_off(summary({.epochs = 1, .clip_norm = off}), "clip"));
  CHECK(is_off(summary({.epochs = 1, .max_non_finite = off}), "non-finite"));
}

TEST_CASE("the rate warms up over 5 % of the steps from zero, peaks, and falls along a cosine") {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  train::Trainer trainer{model, cross_entropy, {.epochs = 10, .batch_size = 10, .sinks = {log}}};
  trainer.fit(points(1112));  // 1,001 rows: 100 batches of 10, the last with the odd row
  REQUIRE(log->steps.size() == 1000);
  CHECK(log->steps[0].lr == doctest::Approx(1e-3 / 50));
  CHECK(log->steps[49].lr == doctest::Approx(1e-3));
  for (std::size_t i = 50; i < 1000; ++i) CHECK(log->steps[i].lr < log->steps[i - 1].lr);
  CHECK(log->steps[999].lr > 0);
  CHECK(log->steps[999].lr < 1e-7);
}

TEST_CASE("clipping bounds the step of a plain SGD by rate times the clip norm") {
  struct Plain : train::Trainer {
    using Trainer::Trainer;
    std::unique_ptr<optim::Optimizer> configure_optimizer() override {
      return std::make_unique<optim::SGD>(optim::decay_groups(model().parameters(), 0));
    }
  };
  const auto moved = [](std::optional<double> clip) {
    auto model = small_model();
    std::vector<Tensor> before;
    for (const auto& p : model.parameters()) before.push_back(p.tensor.clone());
    Plain trainer{model,
                  [](const Tensor& y, const Tensor& t) { return 1e4 * cross_entropy(y, t); },
                  {.epochs = 1,
                   .batch_size = 200,
                   .lr = 0.1,
                   .decay = train::Decay::constant,
                   .warmup = off,
                   .clip_norm = clip,
                   .validation_split = off,
                   .sinks = {}}};
    trainer.fit(points(200));
    double total = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const Tensor after = model.parameters()[i].tensor;
      for (Index j = 0; j < after.size(); ++j)
        total += std::pow(static_cast<double>(after.data()[j] - before[i].data()[j]), 2);
    }
    return std::sqrt(total);
  };
  CHECK(moved(1.0) == doctest::Approx(0.1).epsilon(1e-4));
  CHECK(moved(off) > 10);
}

TEST_CASE("a non-finite loss or gradient never reaches a parameter, and the batch is skipped with a reason") {
  // The loss of one batch in ten is NaN, or its gradient alone is.
  struct Poisoned : train::Trainer {
    using Trainer::Trainer;
    bool in_gradient = false;
    int count = 0;
    train::StepOutput training_step(const train::Batch& batch) override {
      train::StepOutput out = Trainer::training_step(batch);
      if (++count % 10 == 0) {
        if (in_gradient)  // sqrt at 0: the value is fine, the slope is infinite
          out.loss = out.loss + sqrt(mean(out.predictions * 0.0));
        else
          out.loss = out.loss * static_cast<double>(nan_value);
      }
      return out;
    }
    train::StepOutput validation_step(const train::Batch& batch) override { return Trainer::training_step(batch); }
  };
  for (const bool in_gradient : {false, true}) {
    auto model = small_model();
    const auto log = std::make_shared<train::MemorySink>();
    Poisoned trainer{model, cross_entropy, {.epochs = 5, .lr = 0.01, .sinks = {log}}};
    trainer.in_gradient = in_gradient;
    const auto result = trainer.fit(points(1000));
    CHECK(result.reason == train::StopReason::finished);
    CHECK(result.skipped == 14);  // of 145 batches
    CHECK(result.steps == 131);
    REQUIRE(result.anomalies.size() == 14);
    CHECK(result.anomalies[0].name == "non_finite");
    CHECK(result.anomalies[0].text.find("nan") != std::string::npos);
    CHECK(log->anomalies.size() == 14);
    for (const auto& p : model.parameters())
      for (const Scalar value : p.tensor.span()) CHECK(std::isfinite(value));
    CHECK(std::isfinite(result.train_loss));
    CHECK(*result.validation->accuracy > 0.9);
  }
}

TEST_CASE("training stops when every step is non-finite, and nothing was changed") {
  auto model = small_model();
  const auto before = hash_of(model);
  train::Trainer trainer{model,
                         [](const Tensor& y, const Tensor&) { return mean(y) * static_cast<double>(nan_value); },
                         {.epochs = 5, .sinks = {}}};
  const auto result = trainer.fit(points(1000));
  CHECK(result.reason == train::StopReason::guard);
  CHECK(result.skipped == 3);
  CHECK(result.steps == 0);
  CHECK(hash_of(model) == before);
}

TEST_CASE("with the guard opted out a NaN reaches the parameters") {
  auto model = small_model();
  train::Trainer trainer{model,
                         [](const Tensor& y, const Tensor&) { return mean(y) * static_cast<double>(nan_value); },
                         {.epochs = 1, .max_non_finite = off, .sinks = {}}};
  trainer.fit(points(100));
  CHECK(std::isnan(model.parameters()[0].tensor.data()[0]));
}

TEST_CASE("200 steps with dropout and both norms give the same bits on 1, 2, 3 and 8 threads and each time") {
  const std::uint64_t one = hash_of_200_steps(1);
  CHECK(hash_of_200_steps(1) == one);
  for (const int threads : {2, 3, 8}) CHECK(hash_of_200_steps(threads) == one);
}

TEST_CASE("the seed decides: the same one repeats a run bit for bit, another one does not") {
  const auto run = [](std::uint64_t seed) {
    auto model = small_model();
    train::Trainer(model, cross_entropy, {.epochs = 2, .seed = seed, .sinks = {}}).fit(points(300));
    return hash_of(model);
  };
  CHECK(run(42) == run(42));
  CHECK(run(42) != run(43));
}

TEST_CASE("a given validation set is used as it is") {
  auto model = small_model();
  train::Trainer trainer{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  const auto result = trainer.fit(points(64), points(50, 9));
  CHECK(result.steps == 2);
  CHECK(result.validation->samples == 50);
}

TEST_CASE("raw bytes are normalised by constants of the training split only") {
  // 90 dark samples and 10 bright ones: whichever rows are held out, the constants must be those of
  // the rest alone.
  std::vector<std::uint8_t> bytes, labels;
  for (int i = 0; i < 100; ++i)
    for (int j = 0; j < 4; ++j) bytes.push_back(static_cast<std::uint8_t>(i < 90 ? 10 + j : 250));
  for (int i = 0; i < 100; ++i) labels.push_back(i < 90 ? 0 : 1);
  const train::ByteDataset data({4}, bytes, labels);
  Rng rng(1);
  nn::Sequential model{nn::Linear{4, 2, rng}};
  train::Trainer trainer{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  trainer.fit(data);

  const auto rows = train::split_rows(100, 0.1, 42).first;
  double sum = 0, squares = 0;
  for (const Index row : rows)
    for (Index j = 0; j < 4; ++j) {
      const double value = bytes[static_cast<std::size_t>(row * 4 + j)] / 255.0;
      sum += value;
      squares += value * value;
    }
  const double mean = sum / 360;
  REQUIRE(trainer.normalization());
  CHECK(trainer.normalization()->mean == doctest::Approx(mean));
  CHECK(trainer.normalization()->stddev == doctest::Approx(std::sqrt(squares / 360 - mean * mean)));

  // predict sees the data with the same constants.
  const train::Batch raw = train::first_samples(data, 100);
  const auto scale = trainer.normalization()->stddev;
  const Tensor inputs = (raw.inputs - trainer.normalization()->mean) / scale;
  const Tensor by_data = trainer.predict(data), by_hand = trainer.predict(inputs);
  for (Index i = 0; i < by_data.size(); ++i)
    CHECK(by_data.data()[i] == doctest::Approx(by_hand.data()[i]).epsilon(1e-4));
}

TEST_CASE("evaluation is the mean over samples, whatever the batches, and changes nothing") {
  Rng rng(5);
  Everything model(rng);
  const Tensor inputs = normal({700, 64}, 0, 1, rng), targets = Tensor::zeros({700});
  const train::TensorDataset data(inputs, targets);
  train::Trainer trainer{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  const auto before = hash_of(model);
  const auto result = trainer.evaluate(data);
  CHECK(result.samples == 700);
  CHECK(result.loss ==
        doctest::Approx(static_cast<double>(cross_entropy(model(inputs), targets).item())).epsilon(1e-5));
  CHECK(hash_of(model) == before);
  // Even in the middle of somebody's training step.
  const Tape tape(Mode::train, {.seed = 1, .position = 1});
  CHECK(trainer.evaluate(data).loss == result.loss);
  CHECK(tape.size() == 0);
}

TEST_CASE("hooks come in order, and on_fit_end comes even when a step throws") {
  struct Recorder : train::Trainer {
    using Trainer::Trainer;
    std::vector<std::string> calls;
    int throw_at = -1, steps = 0;
    void on_fit_start() override { calls.push_back("fit_start"); }
    void on_epoch_start(Index) override { calls.push_back("epoch_start"); }
    void on_step_end(const train::StepStats& stats) override {
      calls.push_back("step " + std::to_string(stats.step));
      if (++steps == throw_at) throw std::runtime_error("mine");
    }
    void on_epoch_end(const train::EpochStats&) override { calls.push_back("epoch_end"); }
    void on_fit_end(const train::FitResult& result) override {
      calls.push_back(std::string("fit_end ") + to_string(result.reason));
    }
  };
  auto model = small_model();
  Recorder trainer{model, cross_entropy, {.epochs = 2, .validation_split = off, .sinks = {}}};
  trainer.fit(points(64));
  CHECK(trainer.calls == std::vector<std::string>{"fit_start", "epoch_start", "step 1", "step 2", "epoch_end",
                                                  "epoch_start", "step 3", "step 4", "epoch_end", "fit_end finished"});
  Recorder failing{model, cross_entropy, {.epochs = 2, .validation_split = off, .sinks = {}}};
  failing.throw_at = 2;
  CHECK_THROWS_WITH(failing.fit(points(64)), "mine");
  CHECK(failing.calls.back() == "fit_end stopped by an exception");
  CHECK(Tape::active() == nullptr);
}

TEST_CASE("a hook can stop training") {
  struct Stopper : train::Trainer {
    using Trainer::Trainer;
    void on_step_end(const train::StepStats& stats) override {
      if (stats.step == 3) stop();
    }
  };
  auto model = small_model();
  Stopper trainer{model, cross_entropy, {.epochs = 5, .sinks = {}}};
  const auto result = trainer.fit(points(1000));
  CHECK(result.reason == train::StopReason::requested);
  CHECK(result.steps == 3);
}

TEST_CASE("a model that is no layer trains through a subclass's training_step") {
  struct TwoInputs : nn::Module {
    explicit TwoInputs(Rng& rng)
        : left(add("left", nn::Linear{1, 4, rng})),
          right(add("right", nn::Linear{1, 4, rng})),
          out(add("out", nn::Linear{4, 2, rng})) {}
    nn::Linear& left;
    nn::Linear& right;
    nn::Linear& out;
  };
  struct TwoInputTrainer : train::Trainer {
    TwoInputTrainer(TwoInputs& model, TrainerOptions options)
        : Trainer(model, std::move(options), train::Task::multiclass), net(model) {}
    TwoInputs& net;
    train::StepOutput training_step(const train::Batch& batch) override {
      const Index n = batch.inputs.shape()[0];
      Tensor a(Shape{n, 1}), b(Shape{n, 1});
      for (Index i = 0; i < n; ++i) {
        a.mutable_data()[i] = batch.inputs.at({i, 0});
        b.mutable_data()[i] = batch.inputs.at({i, 1});
      }
      const Tensor logits = net.out(relu(net.left(a) + net.right(b)));
      return {.loss = cross_entropy(logits, batch.targets), .predictions = logits};
    }
  };
  Rng rng(1);
  TwoInputs model(rng);
  TwoInputTrainer trainer(model, {.epochs = 20, .lr = 0.02, .sinks = {}});
  const auto result = trainer.fit(points(500));
  CHECK(result.validation->loss < 0.2);
  CHECK(*result.validation->accuracy > 0.9);

  train::Trainer plain(model, {.epochs = 1, .sinks = {}});
  check_throws<OptionError>([&] { plain.fit(points(50)); }, "training_step");
}

TEST_CASE("binary targets are counted by the sign of the logit, and regression has no accuracy") {
  Rng rng(1);
  const auto data = points(400);
  const train::TensorDataset column(data.inputs(), data.targets().view({400, 1}));
  nn::Sequential model{nn::Linear{2, 1, rng}};
  train::Trainer binary{model, binary_cross_entropy_with_logits, {.epochs = 20, .lr = 0.05, .sinks = {}}};
  CHECK(*binary.fit(column).validation->accuracy > 0.95);
  train::Trainer regression{model, mse_loss, {.epochs = 2, .sinks = {}}};
  CHECK_FALSE(regression.fit(column).validation->accuracy.has_value());
}

TEST_CASE("a label out of range is named by its row in the data set") {
  auto data = points(100);
  const Tensor targets = data.targets().clone();
  targets.mutable_data()[57] = 2;
  auto model = small_model();
  train::Trainer trainer{model, cross_entropy, {.epochs = 1, .validation_split = off, .sinks = {}}};
  check_throws<DataError>([&] { trainer.fit(train::TensorDataset(data.inputs(), targets)); },
                          "row 57 of the training set", "[0, 2)", "got 2");
  check_throws<DataError>([&] { trainer.evaluate(train::TensorDataset(data.inputs(), targets)); },
                          "row 57 of the evaluated set", "[0, 2)");
}

TEST_CASE("options that do not fit are all listed at once") {
  auto model = small_model();
  check_throws<OptionError>(
      [&] {
        train::Trainer(
            model, cross_entropy,
            {.epochs = 0, .batch_size = 0, .lr = -1.0, .warmup = 0.5, .clip_norm = 0.0, .validation_split = 1.5});
      },
      "epochs in [1, 1000000000]; got 0", "batch_size >= 1; got 0", "lr > 0; got -1", "warmup in [0.01, 0.1]",
      "clip_norm > 0", "validation_split in (0, 1); got 1.5");
}

TEST_CASE("data of the wrong shape names the op and both shapes") {
  Rng rng(1);
  nn::Sequential model{nn::Linear{3, 2, rng}};
  train::Trainer trainer{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  check_throws<ShapeError>([&] { trainer.fit(points(100)); }, "linear", "[32, 2]", "[3, 2]");
}

TEST_CASE("a data set without rows is refused before the first step") {
  struct Empty : train::Dataset {
    Index size() const override { return 0; }
    Shape input_shape() const override { return {2}; }
    Shape target_shape() const override { return {}; }
    void gather(std::span<const Index>, const train::Batch&) const override {}
  };
  auto model = small_model();
  train::Trainer trainer{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  check_throws<DataError>([&] { trainer.fit(Empty()); }, "at least 2 rows", "got 0");
  check_throws<DataError>([&] { trainer.fit(points(10), Empty()); }, "at least one row");
}

TEST_CASE("a layer that was not added to its module is reported, as it would never train") {
  struct Forgetful : nn::Layer {
    explicit Forgetful(Rng& rng) : added(add("added", nn::Linear{2, 8, rng})), forgotten(8, 2, rng) {}
    Tensor forward(const Tensor& x) const override { return forgotten(relu(added(x))); }
    nn::Linear& added;
    nn::Linear forgotten;
  };
  Rng rng(1);
  Forgetful model(rng);
  train::Trainer trainer{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  const auto result = trainer.fit(points(100));
  REQUIRE(result.anomalies.size() == 2);  // its weight and its bias
  CHECK(result.anomalies[0].name == "unregistered");
  CHECK(result.anomalies[0].text.find("[8, 2]") != std::string::npos);
  CHECK(result.anomalies[0].text.find("add()") != std::string::npos);
}

TEST_CASE("overrides that return nothing usable are refused by name") {
  struct NoOptimizer : train::Trainer {
    using Trainer::Trainer;
    std::unique_ptr<optim::Optimizer> configure_optimizer() override { return nullptr; }
  };
  struct NoSchedule : train::Trainer {
    using Trainer::Trainer;
    optim::Schedule configure_schedule(double, std::int64_t) override { return {}; }
  };
  auto model = small_model();
  NoOptimizer no_optimizer{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  check_throws<OptionError>([&] { no_optimizer.fit(points(50)); }, "configure_optimizer; got null");
  NoSchedule no_schedule{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  check_throws<OptionError>([&] { no_schedule.fit(points(50)); }, "configure_schedule; got an empty function");
  train::Trainer vector_loss{
      model, [](const Tensor& y, const Tensor&) { return square(y); }, {.epochs = 1, .sinks = {}}};
  check_throws<ShapeError>([&] { vector_loss.fit(points(50)); }, "loss of one element; got shape [32, 2]");
  train::Trainer one_row{model, cross_entropy, {.epochs = 1, .sinks = {}}};
  check_throws<DataError>([&] { one_row.fit(points(1)); }, "got 1", "validation_split = off");
}

TEST_CASE("the result of a run that ended in its first epoch does not look perfect") {
  struct Stopper : train::Trainer {
    using Trainer::Trainer;
    void on_step_end(const train::StepStats&) override { stop(); }
  };
  auto model = small_model();
  Stopper trainer{model, cross_entropy, {.epochs = 2, .sinks = {}}};
  const auto result = trainer.fit(points(100));
  CHECK(std::isnan(result.train_loss));
  CHECK_FALSE(result.validation.has_value());
}

TEST_CASE("Standardize is fitted on a split as on a whole table") {
  const auto [first, second] = train::random_split(points(100), 0.2);
  const auto layer = nn::Standardize::fit(first);
  const Tensor inputs = train::first_samples(first, 80).inputs;
  CHECK(mean(layer(inputs)).item() == doctest::Approx(0).epsilon(1e-5));
  CHECK(mean(square(layer(inputs))).item() == doctest::Approx(1));
}
