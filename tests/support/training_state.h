#pragma once

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include <handrail/train/checkpoints/state.h>

#include <support/tensors.h>

/// A small state without empty parts, with values that tell the members apart.
inline handrail::train::TrainingState full_state() {
  using handrail::Tensor, handrail::train::TrainingState;
  TrainingState s;
  s.parameters = {{"hidden.weight", Tensor({2, 3}, {1, -2, 3, -4, 5, -6})}, {"hidden.bias", Tensor({3}, {7, 8, 9})}};
  s.buffers = {{"norm.mean", Tensor::scalar(10)}, {"norm.none", Tensor({0, 4}, {})}};
  s.optimizer = {
      {"hidden.weight", {.t = 11, .slots = {Tensor::full({2, 3}, 12), Tensor::full({2, 3}, handrail::Scalar(1e-30))}}},
      {"hidden.bias", {.t = 13, .slots = {}}}};
  s.progress = {.epoch = 14,
                .batch = 15,
                .step = 16,
                .micro_step = 17,
                .skipped = 18,
                .rollbacks = 19,
                .epoch_loss = 20.5,
                .epoch_samples = 21,
                .epoch_metrics = {{"f1", 22.5}, {"", -0.0}},
                .lr_factor = 0.25,
                .seconds = 23.5};
  s.decisions = {.lr = 0.001, .planned_steps = std::int64_t{1} << 40, .seed = ~std::uint64_t{0}};
  s.guards = {{"spike", {27, 28.5}}, {"early_stopping", {}}};
  s.best = {
      {.epoch = 29,
       .step = 30,
       .value = 31.5,
       .evaluation = {
           .loss = 32.5, .measured_accuracy = 0.75, .samples = 33, .metrics = {{"auc", 34}}, .group_losses = {35}}}};
  s.best_parameters = {{"hidden.weight", Tensor::ones({2, 3})}, {"hidden.bias", Tensor::zeros({3})}};
  s.best_buffers = {{"norm.mean", Tensor::scalar(36)}, {"norm.none", Tensor({0, 4}, {})}};
  s.settings = {{"epochs", "37"}, {"training samples", "100, 9a"}};
  s.log_length = 38;
  s.model = {
      .task = handrail::train::Task::binary,
      .input_shape = {39, 40},
      .target_shape = {},
      .normalization = {{.mean = 0.5, .stddev = 2}},
      .class_names = {"yes", ""},
      .table = {
          {.csv = {.delimiter = ';', .header = true},
           .missing = {"", "NA"},
           .columns =
               {{.name = "a", .missing = 41, .median = 0.5},
                {.name = "b", .role = handrail::train::TableColumn::Role::category, .values = {"u", "v"}, .pooled = 42},
                {.name = "c", .role = handrail::train::TableColumn::Role::left_out, .reason = "as asked for"},
                {.name = "y", .role = handrail::train::TableColumn::Role::target}},
           .targets = {"y"},
           .classes = {"no", "yes"},
           .rows = 43,
           .notes = {"odd"},
           .allow_unknown = true}}};
  s.model.class_weights = {0.5, 2};
  s.train_loss = 41.5;
  s.validation = {{.loss = 42.5, .measured_accuracy = {}, .samples = 43, .metrics = {{"mae", 44}}, .group_losses = {}}};

  // The last good state is another one with the same best weights.
  TrainingState good = s;
  good.parameters = {{"hidden.weight", Tensor::full({2, 3}, 45)}, {"hidden.bias", Tensor::full({3}, 46)}};
  good.buffers = {{"norm.mean", Tensor::scalar(47)}, {"norm.none", Tensor({0, 4}, {})}};
  good.optimizer = {{"hidden.weight", {.t = 48, .slots = {Tensor::zeros({2, 3}), Tensor::ones({2, 3})}}},
                    {"hidden.bias", {.t = 49, .slots = {}}}};
  good.progress.step = 12;
  good.guards = {{"spike", {50}}};
  good.best->step = 51;
  good.log_length = 52;
  good.train_loss = 53.5;
  good.validation = {};
  s.good = std::make_shared<const TrainingState>(std::move(good));
  return s;
}

/// One with this step, to be told from others.
inline handrail::train::TrainingState state_at(std::int64_t step) {
  handrail::train::TrainingState state;
  state.parameters = {{"w", handrail::Tensor({2}, {1, 2})}};
  state.progress.step = step;
  return state;
}

namespace handrail::train {

// Checks of every member; they take structures apart, so that a new one is not forgotten here.

inline void check_same(const NamedTensors& a, const NamedTensors& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, tensor] : a) {
    REQUIRE(b.contains(name));
    CHECK(same_bits(tensor, b.at(name)));
  }
}
inline void check_same(const std::vector<MetricValue>& a, const std::vector<MetricValue>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].name == b[i].name);
    CHECK(std::bit_cast<std::uint64_t>(a[i].value) == std::bit_cast<std::uint64_t>(b[i].value));
  }
}
inline void check_same(const Progress& a, const Progress& b) {
  const auto& [epoch, batch, step, micro_step, skipped, rollbacks, loss, samples, metrics, lr_factor, seconds] = a;
  CHECK(std::tie(epoch, batch, step, micro_step, skipped, rollbacks, loss, samples, lr_factor, seconds) ==
        std::tie(b.epoch, b.batch, b.step, b.micro_step, b.skipped, b.rollbacks, b.epoch_loss, b.epoch_samples,
                 b.lr_factor, b.seconds));
  check_same(metrics, b.epoch_metrics);
}
inline void check_same(const Decisions& a, const Decisions& b) {
  const auto& [lr, planned_steps, seed] = a;
  CHECK(std::tie(lr, planned_steps, seed) == std::tie(b.lr, b.planned_steps, b.seed));
}
inline void check_same(const ModelInfo& a, const ModelInfo& b) {
  const auto& [task, input_shape, target_shape, normalization, class_names, table, class_weights] = a;
  CHECK(std::tie(task, input_shape, target_shape, class_names, class_weights) ==
        std::tie(b.task, b.input_shape, b.target_shape, b.class_names, b.class_weights));
  REQUIRE(normalization.has_value() == b.normalization.has_value());
  if (normalization) CHECK(normalization->mean == b.normalization->mean);
  if (normalization) CHECK(normalization->stddev == b.normalization->stddev);
  CHECK((table && b.table ? table->text() == b.table->text() : !table && !b.table));
}
inline void check_same(const Evaluation& a, const Evaluation& b) {
  const auto& [loss, accuracy, samples, metrics, group_losses, confusion, calibration_error] = a;
  CHECK_FALSE((confusion || b.measured_confusion));
  CHECK_FALSE((calibration_error || b.measured_calibration_error));
  CHECK(std::tie(loss, accuracy, samples, group_losses) ==
        std::tie(b.loss, b.measured_accuracy, b.samples, b.group_losses));
  check_same(metrics, b.metrics);
}
inline void check_same(const Best& a, const Best& b) {
  const auto& [epoch, step, value, evaluation] = a;
  CHECK(std::tie(epoch, step, value) == std::tie(b.epoch, b.step, b.value));
  check_same(evaluation, b.evaluation);
}
inline void check_same(const TrainingState& a, const TrainingState& b) {
  const auto& [parameters, buffers, optimizer, progress, decisions, guards, best, best_parameters, best_buffers,
               settings, log_length, model, train_loss, validation, good] = a;
  check_same(parameters, b.parameters);
  check_same(buffers, b.buffers);
  REQUIRE(optimizer.size() == b.optimizer.size());
  for (const auto& [name, kept] : optimizer) {
    const auto& [t, slots] = kept;
    REQUIRE(b.optimizer.contains(name));
    CHECK(t == b.optimizer.at(name).t);
    REQUIRE(slots.size() == b.optimizer.at(name).slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i) CHECK(same_bits(slots[i], b.optimizer.at(name).slots[i]));
  }
  check_same(progress, b.progress);
  check_same(decisions, b.decisions);
  CHECK(guards == b.guards);
  REQUIRE(best.has_value() == b.best.has_value());
  if (best) check_same(*best, *b.best);
  check_same(best_parameters, b.best_parameters);
  check_same(best_buffers, b.best_buffers);
  CHECK(settings == b.settings);
  CHECK(log_length == b.log_length);
  check_same(model, b.model);
  CHECK(std::bit_cast<std::uint64_t>(train_loss) == std::bit_cast<std::uint64_t>(b.train_loss));
  REQUIRE(validation.has_value() == b.validation.has_value());
  if (validation) check_same(*validation, *b.validation);
  REQUIRE((good == nullptr) == (b.good == nullptr));
  if (good) check_same(*good, *b.good);
}

}  // namespace handrail::train
