#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "support/guard_runs.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

using Names = std::vector<std::string>;

// A loop that a user wrote, and the places where it can be wrong.
struct OwnLoop {
  Index steps = 300, rows = 320, batch = 32;
  double lr = 1e-2, weight_decay = 0.01;
  bool zero_grad = true, shuffle = true, backward = true;
  Index updates_per_backward = 1;
  Mode mode = Mode::train;
  Index batches_per_step = 1;
  std::function<double(Index step)> rate = {};  // empty: lr
  std::uint64_t position = 0;                   // 0: the number of the step
  std::function<Tensor(const Tensor& loss)> change_loss = {};
  std::function<void(const nn::Module& model)> after_step = {};
  std::function<Index(Index batch)> pick_batch = {};
  std::function<void(const Tensor& inputs)> change_inputs = {};
  bool new_optimizer = false;
  bool watch_last = false;  // whether the watch looks after the update instead of before backward
};

struct Watched {
  Names names;
  std::string text;
};

Watched run(const OwnLoop& loop, nn::Layer&& model, const WatchOptions& options = {}) {
  const TensorDataset data = points(loop.rows);
  auto make = [&] {
    return std::make_unique<optim::AdamW>(optim::decay_groups(model.parameters(), loop.weight_decay));
  };
  auto optimizer = make();
  WatchOptions all = options;
  all.rows = loop.rows;
  Watch watch(model, *optimizer, all);
  std::vector<Index> order(static_cast<std::size_t>(loop.rows));
  std::iota(order.begin(), order.end(), Index{0});
  Rng rng(3);
  const Index batches = loop.rows / loop.batch;
  for (Index step = 1; step <= loop.steps; ++step) {
    const Index number = (step - 1) % batches;
    if (number == 0 && loop.shuffle) rng.shuffle(std::span(order));
    const Index first = loop.batch * (loop.pick_batch ? loop.pick_batch(number) : number);
    const Tensor x({loop.batch, 2}), y(Shape{loop.batch});
    for (Index i = 0; i < loop.batch; ++i) {
      const Index row = order[static_cast<std::size_t>(first + i)];
      for (Index j = 0; j < 2; ++j) x.mutable_data()[2 * i + j] = data.inputs().at({row, j});
      y.mutable_data()[i] = data.targets().at({row});
    }
    if (loop.change_inputs) loop.change_inputs(x);
    if (loop.zero_grad && (step - 1) % loop.batches_per_step == 0) optimizer->zero_grad();
    Tape tape(loop.mode,
              {.seed = 1, .position = loop.position != 0 ? loop.position : static_cast<std::uint64_t>(step)});
    Tensor loss = cross_entropy(model(x), y);
    if (loop.change_loss) loss = loop.change_loss(loss);
    if (!loop.watch_last) watch.step(loss, x, y);
    if (loop.backward || step == 1) tape.backward(loss);
    if (step % loop.batches_per_step == 0)
      for (Index u = 0; u < loop.updates_per_backward; ++u) optimizer->step(loop.rate ? loop.rate(step) : loop.lr);
    if (loop.after_step) loop.after_step(model);
    if (loop.watch_last) watch.step(loss, x, y);
    if (loop.new_optimizer) optimizer = make();
  }
  Watched watched{.names = {}, .text = watch.diagnosis_text()};
  for (const Anomaly& anomaly : watch.anomalies()) {
    CHECK(anomaly.action == Action::proceed);
    CHECK_FALSE(anomaly.cause.empty());
    check_headline(anomaly);
  }
  for (const Anomaly& anomaly : watch.diagnosis()) watched.names.push_back(anomaly.name);
  return watched;
}

Names names(const OwnLoop& loop) { return run(loop, small_model()).names; }
std::string first(const OwnLoop& loop) {
  const Names all = names(loop);
  return all.empty() ? "" : all.front();
}

}  // namespace

TEST_CASE("a watch is silent about a healthy loop, wherever it looks") {
  CHECK(names({}) == Names{});
  CHECK(names({.watch_last = true}) == Names{});
  CHECK(run({}, NormModel()).names == Names{});
  CHECK(names({.shuffle = false}) == Names{});
  CHECK(names({.batch = 320, .shuffle = false}) == Names{});  // full batches
}

TEST_CASE("a forgotten zero_grad is named by the counters of the gradients") {
  CHECK(first({.zero_grad = false}) == "gradients_accumulate");
  CHECK(first({.zero_grad = false, .watch_last = true}) == "gradients_accumulate");
}

TEST_CASE("a zero_grad that leaves out some parameters is named") {
  const auto clear_last = [](const nn::Module& model) { model.parameters().back().tensor.zero_grad(); };
  const OwnLoop loop{.zero_grad = false, .after_step = clear_last};
  const Watched watched = run(loop, small_model());
  REQUIRE(!watched.names.empty());
  CHECK(watched.names.front() == "gradients_accumulate");
  CHECK(contains(watched.text, "3 gradients of 4 never cleared"));
}

TEST_CASE("a decay that is stronger than the gradients is named in a loop, a usual one is not") {
  const auto decay = [](double weight_decay) {
    OwnLoop loop;
    loop.weight_decay = weight_decay;
    return names(loop);
  };
  CHECK(decay(20).front() == "weight_decay_too_high");
  CHECK(decay(0.1) == Names{});
}

TEST_CASE("the ops of the first step name what is wrong with model and loss") {
  CHECK(first({.change_loss = [](const Tensor& loss) { return loss * 32; }}) == "sum_loss");
  CHECK(names({.change_loss = [](const Tensor& loss) { return loss * 0.5; }}) == Names{});
  Rng rng(1);
  CHECK(run({}, nn::Sequential{nn::Linear{2, 16, rng}, nn::ReLU{}, nn::Linear{16, 2, rng}, nn::Sigmoid{}})
            .names.front() == "activation_before_loss");
  const auto stacked = [&] { return nn::Sequential{nn::Linear{2, 16, rng}, nn::Linear{16, 2, rng}}; };
  CHECK(run({}, stacked()).names.front() == "linear_after_linear");
  CHECK(run({}, stacked(), {.check_model = false}).names != Names{"linear_after_linear"});
}

TEST_CASE("an update that stands after the loop over the batches is named, one in a few batches is not") {
  CHECK(first({.batches_per_step = 10}) == "too_few_steps");
  CHECK(names({.batches_per_step = 2}) == Names{});
}

TEST_CASE("a schedule that is given the number of the epoch stays in its warmup and is named") {
  const auto warmup = [](double peak, Index steps) {
    return [=](Index step) { return peak * std::min(1.0, static_cast<double>(step) / static_cast<double>(steps)); };
  };
  const auto by_step = warmup(1e-3, 200);
  CHECK(first({.rate = [by_step](Index step) { return by_step(1 + step / 10); }}) == "lr_too_low");
  CHECK(names({.steps = 1000, .rate = warmup(1e-2, 200)}) == Names{});
  CHECK(names({.steps = 1000, .rate = warmup(1e-2, 700)}) == Names{});
}

TEST_CASE("a rate that nobody uses is named") {
  CHECK(first({.lr = 0.5}) == "lr_too_high");
  CHECK(first({.steps = 600, .lr = 1e-6}) == "lr_too_low");
}

TEST_CASE("a schedule that is over long before the loop is named") {
  const auto cosine = [](Index total) {
    const optim::Schedule schedule = optim::warmup_cosine({.peak = 1e-2, .warmup_steps = 10, .total_steps = total});
    return [=](Index step) { return schedule(std::min(step, total)); };
  };
  const auto by_rows = [&](Index step) { return cosine(1000)(std::min<Index>(32 * step, 1000)); };
  CHECK(first({.steps = 1000, .rate = by_rows}) == "schedule_ends_early");
  CHECK(names({.steps = 1000, .rate = cosine(1000)}) == Names{});
  CHECK(names({.steps = 1000, .rate = cosine(800)}) == Names{});
  const auto to_floor = [&](Index total) {
    return [rate = cosine(total)](Index step) { return std::max(rate(step), 2e-4); };
  };
  CHECK(first({.steps = 1000, .rate = to_floor(200)}) == "schedule_ends_early");
  CHECK(names({.steps = 1000, .rate = to_floor(700)}) == Names{});
}

TEST_CASE("inputs of a scale that does not suit the model are named, unless the model normalises them") {
  const auto in_bytes = [](const Tensor& x) {
    for (Scalar& v : x.mutable_span()) v *= 255;
  };
  OwnLoop loop{.lr = 1e-3, .change_inputs = in_bytes};
  CHECK(first(loop) == "input_scale");
  const Names unchecked = run(loop, small_model(), {.check_inputs = false}).names;
  CHECK(std::ranges::count(unchecked, "input_scale") == 0);
  CHECK(names({.change_inputs = [](const Tensor& x) {
          for (Scalar& v : x.mutable_span()) v *= 2;
        }}) == Names{});
}

TEST_CASE("gradients of several batches are added up in one update without a word") {
  nn::Sequential model = small_model();
  const TensorDataset data = points(64);
  optim::AdamW optimizer(optim::decay_groups(model.parameters(), 0.01));
  Watch watch(model, optimizer);
  for (int step = 0; step < 100; ++step) {
    if (step % 4 == 0) optimizer.zero_grad();
    Tape tape;
    const Tensor loss = cross_entropy(model(data.inputs()), data.targets());
    watch.step(loss);
    tape.backward(loss);
    if (step % 4 == 3) optimizer.step(1e-2);
  }
  CHECK(watch.diagnosis_text() == "");
}

TEST_CASE("updates without a new gradient are named") {
  CHECK(names({.updates_per_backward = 2}) == Names{"step_before_backward"});
  CHECK(first({.zero_grad = false, .backward = false}) == "step_before_backward");
}

TEST_CASE("an optimizer that is made anew in the loop is named, and not used any more") {
  CHECK(names({.new_optimizer = true}) == Names{"optimizer_reset"});
  CHECK(names({.new_optimizer = true, .watch_last = true}) == Names{"optimizer_reset"});
}

TEST_CASE("weights that something else writes are named, unless guards.overwrites is off") {
  const auto overwrite = [kept = std::make_shared<std::vector<Tensor>>()](const nn::Module& model) {
    if (kept->empty())
      for (const Parameter& p : model.parameters()) kept->push_back(p.tensor.clone());
    std::size_t number = 0;
    for (const Parameter& p : model.parameters()) std::ranges::copy((*kept)[number++].span(), p.tensor.mutable_data());
  };
  CHECK(first({.after_step = overwrite}) == "weights_overwritten");
  CHECK(run({.after_step = overwrite}, small_model(), {.guards = {.overwrites = off}}).names !=
        Names{"weights_overwritten"});
}

TEST_CASE("evaluation mode and a random position that stands are named where they matter") {
  CHECK(run({.mode = Mode::eval}, NormModel()).names == Names{"eval_mode"});
  CHECK(names({.mode = Mode::eval}) == Names{});
  CHECK(run({.position = 7}, NormModel()).names == Names{"random_position"});
  CHECK(names({.position = 7}) == Names{});
}

TEST_CASE("parameters that are frozen or do not move are named with their share") {
  nn::Sequential model = small_model();
  model.freeze("0");
  CHECK(run({}, std::move(model)).text.starts_with("not_trained: '0.weight', '0.bias': frozen"));
  CHECK(run({.lr = 0}, small_model()).text.find("not_trained: 0.weight: 4 parameters, 100 %") != std::string::npos);
}

TEST_CASE("a loss that is constant, detached, not finite or of the wrong sign is named") {
  CHECK(first({.change_loss = [](const Tensor& loss) { return 0 * loss + 0.7; }}) == "loss_constant");
  CHECK(first({.lr = 0.1, .change_loss = [](const Tensor& loss) { return -1 * loss; }}) == "loss_sign");
  nn::Sequential model = small_model();
  const optim::SGD optimizer(optim::decay_groups(model.parameters(), 0));
  Watch watch(model, optimizer);
  {
    const Tape tape;
    watch.step(mean(model(points(8).inputs())).detach());
    CHECK(watch.step(mean(model(points(8).inputs())) * static_cast<double>(nan_value)) == Action::skip);
  }
  REQUIRE(watch.anomalies().size() == 2);
  CHECK(watch.anomalies()[0].name == "detached");
  CHECK(watch.anomalies()[1].name == "non_finite");
  CHECK_THROWS_AS(watch.step(Tensor::zeros({2})), ShapeError);
}

TEST_CASE("rows that come again, in order, or with other targets are named") {
  CHECK(first({.shuffle = false, .pick_batch = [](Index) { return Index{0}; }}) == "repeated_rows");
  const auto swap_rows = [](const Tensor& x) {
    for (Index i = 0; i < x.shape()[0] / 2; ++i)
      std::swap_ranges(x.mutable_data() + 2 * i, x.mutable_data() + 2 * i + 2,
                       x.mutable_data() + 2 * (x.shape()[0] - 1 - i));
  };
  CHECK(first({.change_inputs = swap_rows}) == "unstable_data");
  nn::Sequential model = small_model();
  const optim::SGD optimizer(optim::decay_groups(model.parameters(), 0));
  Watch watch(model, optimizer);
  Rng rng(1);
  for (int step = 0; step < 40; ++step) {
    const Tensor x = normal({8, 2}, 0, 1, rng), y = Tensor::full(Shape{8}, step < 20 ? 0 : 1);
    const Tape tape;
    watch.step(cross_entropy(model(x), y), x, y);
  }
  CHECK(watch.diagnosis().front().name == "sorted_rows");
}

TEST_CASE("a watch tells its sinks and its callback what it found") {
  const auto sink = std::make_shared<MemorySink>();
  int calls = 0;
  const Watched watched = run({.steps = 40, .zero_grad = false}, small_model(),
                              {.on_anomaly = [&](const Anomaly&) { ++calls; }, .sinks = {sink}});
  CHECK(calls == 1);
  REQUIRE(sink->anomalies.size() == 1);
  CHECK(contains(watched.text, sink->anomalies[0].evidence));
}
