#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <handrail/handrail.h>

#include "support/hash.h"
#include "support/tasks.h"
#include "torture/low_memory/scenarios.h"

// What the scenarios of low_memory share.

inline std::vector<handrail::Scalar> values_of(const handrail::Tensor& tensor) {
  return {tensor.span().begin(), tensor.span().end()};
}

inline const handrail::train::TensorDataset& clean_rows() {
  static const auto rows = points(44);
  return rows;
}
inline const handrail::train::TensorDataset& validation_rows() {
  static const auto rows = points(24, 2);
  return rows;
}

// A model and its trainer.
struct Job {
  explicit Job(handrail::train::TrainerOptions options) : trainer(model, handrail::cross_entropy, std::move(options)) {
    trainer.anomaly = [](const handrail::train::Anomaly& found) {
      return found.action == handrail::train::Action::skip ? handrail::train::Action::rollback : found.action;
    };
  }
  void begin_anew() {
    const handrail::train::ModelState initial = handrail::train::capture(NormModel(1));
    handrail::train::restore(model, initial.parameters, initial.buffers);
  }

  NormModel model{1};
  Hooked trainer;
};

inline handrail::train::TrainerOptions bare_options() { return bare({.epochs = 2, .batch_size = 8, .lr = 1e-2}); }

// For calls that leave the model as it is: call() returns what is to be the same each time.
template <class Call>
Attempt unchanged(const std::shared_ptr<Job>& job, const decltype(std::declval<Call>()(*job))& want, Call call) {
  using Result = std::decay_t<decltype(want)>;
  const auto got = std::make_shared<std::optional<Result>>();
  return {[=] { *got = call(*job); },
          [=, &want, before = hash_of(job->model), lr = job->trainer.options().lr](bool threw) -> std::string {
            if (hash_of(job->model) != before) return "the model has changed";
            if (!threw) return **got == want ? "" : "success with another result";
            if (job->trainer.options().lr != lr) return "the options have changed";
            return call(*job) == want ? "" : "another result in the next call";
          }};
}
