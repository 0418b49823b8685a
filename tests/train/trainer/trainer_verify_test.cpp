#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <handrail/core/system/internal/kernels.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/hash.h"
#include "support/tasks.h"
#include "support/tensors.h"

using namespace handrail;
using train::Action;
using train::off;
using train::StopReason;
using train::TrainerOptions;

namespace {

// Kernels whose matrix product flips a bit of its result in some calls, which count from arm() on.
class FaultyKernels {
 public:
  FaultyKernels() {
    table_ = kernels::best();
    table_.gemm = [](const kernels::Gemm& product, Scalar* scratch) {
      kernels::best().gemm(product, scratch);
      if (calls_-- != 1 && !always_) return;
      unsigned char bytes[sizeof(Scalar)];
      std::memcpy(bytes, product.c, sizeof bytes);
      bytes[sizeof bytes - 2] ^= 0x10;  // a high bit of the mantissa
      std::memcpy(product.c, bytes, sizeof bytes);
    };
    kernels::chosen = &table_;
  }
  ~FaultyKernels() {
    kernels::chosen = &kernels::best();
    calls_ = 0;
    always_ = false;
  }
  FaultyKernels(const FaultyKernels&) = delete;
  FaultyKernels& operator=(const FaultyKernels&) = delete;

  /// The call-th product from here on has a wrong bit.
  void arm(int call) { calls_ = call; }
  void be_always_wrong() { always_ = true; }

 private:
  static inline kernels::Kernels table_ = kernels::best();
  static inline std::atomic<int> calls_ = 0;
  static inline std::atomic<bool> always_ = false;
};

TrainerOptions verified(double share, TrainerOptions options = {.epochs = 3}) {
  options.batch_size = 8;
  options.lr = 0.05;
  options.optimizer = train::with<optim::SGD>({.momentum = 0.9});
  options.patience = off;
  if (share > 0) options.verify_steps = share;
  return bare(options);
}

struct End {
  std::uint64_t weights, train_loss;
  std::vector<double> rates;
  train::FitResult result;
};

End run(Hooked& trainer, const nn::Module& model, const train::Dataset& data) {
  std::vector<double> rates;
  trainer.step_end = [&](const train::StepStats& stats) { rates.push_back(stats.lr); };
  auto result = trainer.fit(data);
  return {hash_of(model), std::bit_cast<std::uint64_t>(result.train_loss), rates, std::move(result)};
}

bool says_nothing(const train::FitResult& result) {
  return !find_anomaly(result, "verification_failed") && !find_anomaly(result, "not_reproducible");
}

// A training_step that is told how often it was called.
struct Counting : Hooked {
  using Hooked::Hooked;
  std::function<double(std::int64_t call)> factor;  // of the loss
  std::int64_t calls = 0;                           // in training

 protected:
  train::StepOutput training_step(const train::Batch& batch) override {
    auto output = Hooked::training_step(batch);
    if (attempt > 0) ++calls;
    if (factor && attempt > 0) output.loss = output.loss * factor(calls);
    return output;
  }
};

// A data set whose samples have new noise at each reading.
struct Augmented : train::TensorDataset {
  using TensorDataset::TensorDataset;
  bool in_memory() const override { return false; }
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    TensorDataset::gather(rows, batch);
    for (Scalar& value : batch.inputs.mutable_span()) value += static_cast<Scalar>(rng.normal() / 10);
  }
  mutable Rng rng{3};
};

}  // namespace

TEST_CASE("when every step is verified, a run in which a bit flips ends with the bits of an undisturbed one") {
  for (const Index accumulated : {1, 3}) {
    const auto options = verified(1, {.epochs = 3, .accumulate_grad_batches = accumulated});
    NormModel plain_model;
    Hooked plain(plain_model, cross_entropy, options);
    const End want = run(plain, plain_model, points(200));
    CHECK(says_nothing(want.result));
    // Products of the forward pass, whose fault shows in the loss, and of the backward pass.
    for (const int product : {1, 2, 3, 4, 5}) {
      CAPTURE(product);
      FaultyKernels kernels;
      NormModel model;
      Hooked trainer(model, cross_entropy, options);
      trainer.step_start = [&](std::int64_t step) {
        if (step == 5) kernels.arm(product);
      };
      const End end = run(trainer, model, points(200));
      CHECK(end.weights == want.weights);
      CHECK(end.train_loss == want.train_loss);
      CHECK(end.rates == want.rates);
      CHECK(end.result.rollbacks == 0);
      CHECK(end.result.anomaly_counts.at("verification_failed") == 1);
      const auto* anomaly = find_anomaly(end.result, "verification_failed");
      REQUIRE(anomaly);
      CHECK(anomaly->step == 5);
      CHECK(anomaly->action == Action::proceed);
      CHECK(contains(anomaly->where, "gradient of '"));
      CHECK(contains(anomaly->evidence, " values differ when computed again"));
      CHECK(contains(anomaly->details, "the largest difference is "));
      CHECK(contains(anomaly->details, "compared: "));
      CHECK(contains(anomaly->remedy, "test the memory"));
      CHECK(contains(anomaly->headline(), "verification_failed"));
      CHECK(anomaly->headline().size() <= 160);
    }
  }
}

TEST_CASE("when other steps are not verified, a step that fails restores the last good state at the same rate") {
  FaultyKernels kernels;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, verified(0.999));
  trainer.step_start = [&](std::int64_t step) {
    if (step == 30 && trainer.attempt == 30) kernels.arm(2);  // the outputs
  };
  const End end = run(trainer, model, points(200));
  auto plain_model = small_model();
  Hooked plain(plain_model, cross_entropy, verified(0));
  const End want = run(plain, plain_model, points(200));
  const auto* anomaly = find_anomaly(end.result, "verification_failed");
  REQUIRE(anomaly);
  CHECK(anomaly->action == Action::rollback);
  CHECK(contains(anomaly->headline(), "; rolled back; try: test the memory"));
  CHECK(end.result.rollbacks == 1);
  CHECK(end.result.skipped == 1);
  CHECK(end.result.reason == StopReason::finished);
  REQUIRE(end.rates.size() > 31);
  CHECK(end.rates[31] == want.rates[30]);  // the step is tried again, at its rate
}

TEST_CASE("verification that fails again and again stops the run and says to test the memory") {
  FaultyKernels kernels;
  auto model = small_model();
  Hooked trainer(model, cross_entropy, verified(0.999));
  trainer.step_start = [&](std::int64_t) { kernels.arm(2); };
  const End end = run(trainer, model, points(200));
  CHECK(end.result.reason == StopReason::guard);
  CHECK(end.result.rollbacks == 3);
  CHECK(end.result.anomaly_counts.at("verification_failed") == 4);
  REQUIRE(!end.result.diagnosis().empty());
  CHECK(end.result.diagnosis()[0].name == "verification_failed");
  CHECK(contains(end.result.diagnosis_text(), "test the memory, or resume on another machine"));
}

TEST_CASE("kernels that are always wrong are found, and called a fault of the processor or of the library") {
  if (!kernels::twin()) return;  // a repetition is as wrong
  FaultyKernels kernels;
  kernels.be_always_wrong();
  auto model = small_model();
  Hooked trainer(model, cross_entropy, verified(1));
  const End end = run(trainer, model, points(200));
  CHECK(end.result.reason == StopReason::guard);
  const auto* anomaly = find_anomaly(end.result, "verification_failed");
  REQUIRE(anomaly);
  CHECK(anomaly->step == 1);
  CHECK(contains(anomaly->cause, "a fault of the processor, or of the library"));
  CHECK(contains(anomaly->details, "kernels for AVX-512 with FMA and for AVX2 with FMA"));
}

TEST_CASE("verification of healthy steps changes no bit and says nothing") {
  for (const int threads : {1, 2, 3}) {
    const ThreadCount on(threads);
    for (const Index accumulated : {1, 2}) {
      std::vector<std::uint64_t> weights;
      for (const double share : {0.0, 0.2, 1.0}) {
        NormModel model;
        Hooked trainer(model, cross_entropy, verified(share, {.epochs = 2, .accumulate_grad_batches = accumulated}));
        const End end = run(trainer, model, points(300));
        CHECK(says_nothing(end.result));
        weights.push_back(end.weights);
      }
      CHECK(weights[0] == weights[1]);
      CHECK(weights[0] == weights[2]);
    }
  }
}

TEST_CASE("a training_step that is not reproducible is not called a fault of the machine") {
  std::mt19937 engine(1);
  const std::vector<std::function<double(std::int64_t)>> factors{
      [](std::int64_t call) { return 1 + 1e-3 * static_cast<double>(call); },
      [](std::int64_t call) { return call % 2 == 0 ? 1.0 : 1.5; },
      [&](std::int64_t) { return std::uniform_real_distribution(0.9, 1.1)(engine); },
  };
  for (const auto& factor : factors)
    for (const double share : {0.3, 1.0}) {
      auto model = small_model();
      Counting trainer(model, cross_entropy, verified(share));
      trainer.factor = factor;
      const auto result = trainer.fit(points(200));
      CHECK(result.reason == StopReason::finished);
      CHECK(result.rollbacks == 0);
      CHECK_FALSE(find_anomaly(result, "verification_failed"));
      CHECK(result.anomaly_counts.at("not_reproducible") == 1);  // then no more steps are verified
      const auto* anomaly = find_anomaly(result, "not_reproducible");
      REQUIRE(anomaly);
      CHECK(contains(anomaly->evidence, "training_step is not reproducible"));
      CHECK(anomaly->action == Action::proceed);
    }
}

TEST_CASE("a data set that makes its samples anew does not look like a fault") {
  const auto plain = points(200);
  const Augmented data(plain.inputs(), plain.targets());
  auto model = small_model();
  Hooked trainer(model, cross_entropy, verified(1));
  CHECK(says_nothing(trainer.fit(data)));
}

TEST_CASE("a step whose loss is not finite is not verified, and skipped as without verification") {
  std::vector<std::uint64_t> weights;
  for (const double share : {0.0, 1.0}) {
    auto model = small_model();
    Hooked trainer(model, cross_entropy, verified(share));
    const End end = run(trainer, model, points_with(200, {3, 77}, nan_value));
    CHECK(end.result.skipped > 0);
    CHECK(says_nothing(end.result));
    weights.push_back(end.weights);
  }
  CHECK(weights[0] == weights[1]);
}

TEST_CASE("a run that is resumed verifies the same steps, and the first one of its session") {
  const TempDir folder;
  const auto data = points(400);
  const auto steps_verified = [&](Counting& trainer, std::set<std::int64_t>& steps) {
    trainer.step_start = [&](std::int64_t) { trainer.calls = 0; };
    trainer.step_end = [&](const train::StepStats& stats) {
      if (trainer.calls > 1) steps.insert(stats.step);
    };
  };
  auto options = verified(0.2);
  std::set<std::int64_t> want, got;
  auto whole_model = small_model();
  Counting whole(whole_model, cross_entropy, options);
  steps_verified(whole, want);
  whole.fit(data);
  CHECK(want.contains(1));
  CHECK(want.size() > 15);
  CHECK(want.size() < 45);  // of 135

  options.checkpoints = train::CheckpointOptions{.dir = folder.path()};
  auto model = small_model();
  Counting first(model, cross_entropy, options);
  steps_verified(first, got);
  const auto count = first.step_end;
  first.step_end = [&](const train::StepStats& stats) {
    count(stats);
    if (stats.step == 60) first.stop();
  };
  const auto stopped = first.fit(data);
  auto other_model = small_model(7);
  Counting second(other_model, cross_entropy, options);
  steps_verified(second, got);
  second.resume(stopped.run_dir, data);
  want.insert(61);
  CHECK(got == want);
  CHECK(hash_of(other_model) == hash_of(whole_model));
}

TEST_CASE("verify_steps may be turned on for a resume, and the summary says how many steps it verifies") {
  const TempDir folder;
  auto options = verified(0);
  options.checkpoints = train::CheckpointOptions{.dir = folder.path()};
  auto model = small_model();
  Counting first(model, cross_entropy, options);
  first.step_end = [&](const train::StepStats& stats) {
    if (stats.step == 20) first.stop();
  };
  const auto stopped = first.fit(points(200));
  options.verify_steps = 0.5;
  Counting second(model, cross_entropy, options);
  std::int64_t verified_steps = 0;
  second.step_start = [&](std::int64_t) { second.calls = 0; };
  second.step_end = [&](const train::StepStats&) { verified_steps += second.calls > 1; };
  const auto resumed = second.resume(stopped.run_dir, points(200));
  CHECK(resumed.reason == StopReason::finished);
  CHECK(verified_steps > 10);
  CHECK(says_nothing(resumed));
  const auto& items = resumed.summary;
  const auto item = std::ranges::find(items, "verify_steps", &train::SummaryItem::name);
  REQUIRE(item != items.end());
  CHECK(item->value == "50 % of the steps are computed twice and compared");
}

TEST_CASE("no step is computed twice unless verify_steps is set, and a share of it must be in (0, 1]") {
  auto model = small_model();
  Counting trainer(model, cross_entropy, verified(0, {.epochs = 1}));
  trainer.step_start = [&](std::int64_t) { trainer.calls = 0; };
  trainer.step_end = [&](const train::StepStats&) { CHECK(trainer.calls == 1); };
  trainer.fit(points(200));
  for (const double share : {-0.1, 0.0, 1.5}) {
    TrainerOptions options = quiet({.epochs = 1});
    options.verify_steps = share;
    check_throws<OptionError>([&] { Hooked(model, cross_entropy, options); }, "want verify_steps in (0, 1]; got");
  }
}
