#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "support/check_throws.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::off;
using train::TrainerOptions;

namespace {

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

std::uint64_t hash_of_a_run(int threads) {
  const ThreadCount use(threads);
  Rng rng(3);
  const Tensor inputs = normal({300, 64}, 0, 1, rng), targets(Shape{300});
  for (Scalar& target : targets.mutable_span()) target = static_cast<Scalar>(rng.below(10));
  Everything model(rng);
  // 270 rows in batches of 128: the last one has 14.
  train::Trainer trainer{model, cross_entropy, bare({.epochs = 2, .batch_size = 128, .lr = 1e-3})};
  const auto result = trainer.fit(train::TensorDataset(inputs, targets));
  CHECK(result.steps == 6);
  return hash_of(model);
}

}  // namespace

TEST_CASE("the shortest program learns, validates and reports") {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  train::Trainer trainer{model, cross_entropy, {.epochs = 10, .lr = 0.01, .checkpoints = off, .sinks = {log}}};
  const auto result = trainer.fit(points(1000));

  CHECK(result.reason == train::StopReason::finished);
  CHECK(result.epochs == 10);
  CHECK(result.steps == 10 * 29);  // 900 rows in batches of 32: 28 full and one of 4
  CHECK(result.skipped == 0);
  REQUIRE(result.validation);
  CHECK(result.validation->samples == 100);
  CHECK(result.validation->accuracy() > 0.95);
  const auto test = trainer.evaluate(points(500, 2));
  CHECK(test.accuracy() > 0.95);
  CHECK(test.loss < 0.2);

  REQUIRE(log->starts.size() == 1);
  CHECK(log->starts[0].planned_steps == 290);
  CHECK(log->steps.size() == 290);
  CHECK(log->epochs.size() == 10);
  CHECK(log->results.size() == 1);
}

TEST_CASE("the rate warms up over 5 % of the steps from zero, peaks, and falls along a cosine") {
  auto model = small_model();
  const auto log = std::make_shared<train::MemorySink>();
  train::Trainer trainer{model,
                         cross_entropy,
                         {.epochs = 10,
                          .batch_size = 10,
                          .lr = 1e-3,
                          .lr_scaling = train::LrScaling::none,
                          .checkpoints = off,
                          .sinks = {log}}};
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
  const auto moved = [](OrOff<double> clip) {
    auto model = small_model();
    std::vector<Tensor> before;
    for (const auto& p : model.parameters()) before.push_back(p.tensor.clone());
    Plain trainer{model, [](const Tensor& y, const Tensor& t) { return 1e4 * cross_entropy(y, t); },
                  quiet({.epochs = 1,
                         .batch_size = 200,
                         .lr = 0.1,
                         .lr_scaling = train::LrScaling::none,
                         .decay = train::Decay::constant,
                         .warmup = off,
                         .clip_norm = clip,
                         .validation_split = off,
                         .guards = {.divergence = off}})};
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

TEST_CASE("steps with dropout and both norms give the same bits on 1, 2, 3 and 8 threads and each time") {
  const std::uint64_t one = hash_of_a_run(1);
  CHECK(hash_of_a_run(1) == one);
  for (const int threads : {2, 3, 8}) CHECK(hash_of_a_run(threads) == one);
}

TEST_CASE("the seed decides: the same one repeats a run bit for bit, another one does not") {
  const auto run = [](std::uint64_t seed) {
    auto model = small_model();
    train::Trainer(model, cross_entropy, {.epochs = 2, .checkpoints = off, .seed = seed, .sinks = {}}).fit(points(300));
    return hash_of(model);
  };
  CHECK(run(42) == run(42));
  CHECK(run(42) != run(43));
}

TEST_CASE("a given validation set is used as it is") {
  auto model = small_model();
  train::Trainer trainer{model, cross_entropy, quiet({.epochs = 1})};
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
  train::Trainer trainer{model, cross_entropy, quiet({.epochs = 1})};
  trainer.fit(data);

  const auto rows = train::stratified_split(train::Rows(data), 0.1, 42).first;
  double sum = 0, squares = 0;
  for (const Index row : rows.numbers())
    for (Index j = 0; j < 4; ++j) {
      const double value = bytes[static_cast<std::size_t>(row * 4 + j)] / 255.0;
      sum += value;
      squares += value * value;
    }
  const double mean = sum / 360;
  REQUIRE(trainer.model_info().normalization);
  CHECK(trainer.model_info().normalization->mean == doctest::Approx(mean));
  CHECK(trainer.model_info().normalization->stddev == doctest::Approx(std::sqrt(squares / 360 - mean * mean)));

  // predict sees the data with the same constants.
  const train::Batch raw = train::first_samples(data, 100);
  const auto scale = trainer.model_info().normalization->stddev;
  const Tensor inputs = (raw.inputs - trainer.model_info().normalization->mean) / scale;
  const Tensor by_data = trainer.predict(data), by_hand = trainer.predict(inputs);
  for (Index i = 0; i < by_data.size(); ++i)
    CHECK(by_data.data()[i] == doctest::Approx(by_hand.data()[i]).epsilon(1e-4));
}

TEST_CASE("evaluation is the mean over samples, whatever the batches, and changes nothing") {
  const ThreadCount one(1);
  Rng rng(5);
  Everything model(rng);
  const Tensor inputs = normal({700, 64}, 0, 1, rng), targets = Tensor::zeros({700});
  const train::TensorDataset data(inputs, targets);
  train::Trainer trainer{model, cross_entropy, quiet({.epochs = 1})};
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
  TwoInputTrainer trainer(model, quiet({.epochs = 20, .lr = 0.02}));
  const auto result = trainer.fit(points(500));
  CHECK(result.validation->loss < 0.2);
  CHECK(result.validation->accuracy() > 0.9);

  train::Trainer plain(model, quiet({.epochs = 1}));
  check_throws<OptionError>([&] { plain.fit(points(50)); }, "training_step");
}

TEST_CASE("binary targets are counted by the sign of the logit, and regression has no accuracy") {
  Rng rng(1);
  const auto data = points(400);
  const train::TensorDataset column(data.inputs(), data.targets().view({400, 1}));
  nn::Sequential model{nn::Linear{2, 1, rng}};
  train::Trainer binary{model, binary_cross_entropy_with_logits, quiet({.epochs = 20, .lr = 0.05})};
  CHECK(binary.fit(column).validation->accuracy() > 0.95);
  train::Trainer regression{model, mse_loss, quiet({.epochs = 2})};
  CHECK_FALSE(regression.fit(column).validation->measured_accuracy.has_value());
  train::Trainer robust{model, huber_loss, quiet({.epochs = 2})};
  CHECK_FALSE(robust.fit(column).validation->measured_accuracy.has_value());
}

TEST_CASE("a label out of range is named by its row in the data set") {
  auto data = points(100);
  const Tensor targets = data.targets().clone();
  targets.mutable_data()[57] = 2;
  auto model = small_model();
  train::Trainer trainer{model, cross_entropy, quiet({.epochs = 1, .validation_split = off})};
  check_throws<DataError>([&] { trainer.fit(train::TensorDataset(data.inputs(), targets)); },
                          "row 57 of the training set", "[0, 2)", "got 2");
  check_throws<DataError>([&] { trainer.evaluate(train::TensorDataset(data.inputs(), targets)); },
                          "row 57 of the evaluated set", "[0, 2)");
}

TEST_CASE("data of the wrong shape names the op and both shapes") {
  Rng rng(1);
  nn::Sequential model{nn::Linear{3, 2, rng}};
  train::Trainer trainer{model, cross_entropy, quiet({.epochs = 1})};
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
  train::Trainer trainer{model, cross_entropy, quiet({.epochs = 1})};
  check_throws<DataError>([&] { trainer.fit(Empty()); }, "at least 2 rows", "got 0");
  check_throws<DataError>([&] { trainer.fit(points(10), Empty()); }, "at least one row");
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
  NoOptimizer no_optimizer{model, cross_entropy, quiet({.epochs = 1})};
  check_throws<OptionError>([&] { no_optimizer.fit(points(50)); }, "configure_optimizer; got null");
  NoSchedule no_schedule{model, cross_entropy, quiet({.epochs = 1})};
  check_throws<OptionError>([&] { no_schedule.fit(points(50)); }, "configure_schedule; got an empty function");
  train::Trainer vector_loss{model, [](const Tensor& y, const Tensor&) { return square(y); }, quiet({.epochs = 1})};
  check_throws<ShapeError>([&] { vector_loss.fit(points(50)); }, "loss of one element; got shape [32, 2]");
  train::Trainer one_row{model, cross_entropy, quiet({.epochs = 1})};
  check_throws<DataError>([&] { one_row.fit(points(1)); }, "got 1", "validation_split = off");
}

TEST_CASE("Standardize is fitted on a split as on a whole table") {
  const auto [first, second] = train::random_split(points(100), 0.2);
  const auto layer = nn::Standardize::fit(first);
  const Tensor inputs = train::first_samples(first, 80).inputs;
  CHECK(mean(layer(inputs)).item() == doctest::Approx(0).epsilon(1e-5));
  CHECK(mean(square(layer(inputs))).item() == doctest::Approx(1));
}
