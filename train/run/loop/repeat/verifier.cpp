#include <handrail/train/run/loop/repeat/verifier.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/core/system/internal/kernels.h>
#include <handrail/core/system/internal/thread_limit.h>
#include <handrail/core/system/parallel.h>
#include <handrail/train/data/internal/hash.h>
#include <handrail/train/files/text.h>
#include <handrail/train/guards/guard.h>
#include <handrail/train/run/loop/repeat/passes.h>

namespace handrail::train {
namespace {

std::uint64_t hash_of(double loss) { return hash_bytes(std::as_bytes(std::span(&loss, 1))); }

// Two NaN are the same value: the processor may give them other bits in other instructions.
bool are_same(Scalar a, Scalar b) { return same_bits(std::span(&a, 1), std::span(&b, 1)) || (a != a && b != b); }

}  // namespace

bool Verifier::due() {
  if (ended_) return false;
  batches_.clear();
  const bool is_first = !std::exchange(begun_, true);
  if (is_first) batches_.reserve(static_cast<std::size_t>(setup_.micro_batches(0).count));
  Rng rng(StreamKey{
      .seed = setup_.decisions.seed, .stream = Stream::verify, .position = static_cast<std::uint64_t>(at_.micro_step)});
  return rng.uniform() < *setup_.options.verify_steps || is_first;
}

Batch Verifier::read(Index i) { return batches_.emplace_back(setup_.loader->batch(i)); }

std::optional<Anomaly> Verifier::check(const MicroBatches& batches, StepStats& stats,
                                       std::vector<MetricValue>& metrics) {
  if (values_.empty()) take_memory();
  keep(stats.loss);
  const double second = compute(Way::other, batches, metrics_);
  if (is_same(second)) [[likely]] {
    batches_.clear();
    return std::nullopt;
  }
  const Difference found = difference(second);
  const std::uint64_t hash_of_second = hash_of_now(second);
  const auto repeat = [&](Way way) {
    stats.loss = compute(way, batches, metrics);
    return hash_of_now(stats.loss);
  };
  // Two of the same kind follow each other, and the last are in another order: a training_step that counts its calls
  // must not look like kernels that differ.
  const std::uint64_t own = repeat(Way::own), again = repeat(Way::own), other = repeat(Way::other);
  const std::uint64_t last = repeat(Way::own);
  batches_.clear();
  if (own == again && again == last) return failure(stats, found, hash_of_second == other && other != last);
  ended_ = true;
  return Anomaly{.name = "not_reproducible",
                 .step = stats.step,
                 .where = found.where,
                 .evidence = "training_step is not reproducible: computed twice in the same way, it gives other bits",
                 .cause = "random numbers or a state of its own in training_step, a layer or the loss",
                 .remedy = "take random numbers from the tape, or set verify_steps = off",
                 .details = concat(found.count, " of ", found.size, " values differ, by at most ",
                                   short_form(found.largest), "; no more steps are verified")};
}

Anomaly Verifier::failure(const StepStats& stats, const Difference& found, bool persists) {
  const bool all_verified = *setup_.options.verify_steps >= 1;
  const bool stops = ++failures_ > max_rollbacks, continues = all_verified && !persists;
  return {.name = "verification_failed",
          .step = stats.step,
          .where = found.where,
          .evidence = concat(found.count, " of ", found.size, " values differ when computed again",
                             failures_ > 1 ? concat(", failure ", failures_) : ""),
          .cause = persists ? "a fault of the processor, or of the library: each of the two ways repeats its own values"
                            : "a fault of memory or processor, or a training_step that now and then differs",
          .remedy = "test the memory, or resume on another machine",
          .action = stops       ? Action::stop
                    : continues ? Action::proceed
                                : Action::rollback,
          .details = concat("the largest difference is ", short_form(found.largest), "; ",
                            counted(found.tensors, "tensor"), " differ; compared: ", ways(),
                            continues ? "; the step continues with values that were computed three times alike" : ""),
          .rank = Rank::machine,
          .lr_factor = 1};
}

void Verifier::take_memory() {
  const auto add = [&](std::string name, const Tensor& tensor, bool is_gradient) {
    values_.push_back({std::move(name), tensor, is_gradient, Tensor(tensor.shape())});
  };
  for (const Parameter& p : setup_.parameters) add(concat("gradient of '", p.name, "'"), p.tensor, true);
  for (const Buffer& buffer : setup_.buffers) add(concat("buffer '", buffer.name, "'"), buffer.tensor, false);
}

void Verifier::keep(double loss) {
  loss_ = loss;
  for (Value& value : values_) {
    const Tensor now = value.now();
    value.is_kept = now.defined();
    if (value.is_kept) std::ranges::copy(now.span(), value.kept.mutable_data());
  }
}

// Makes the passes of the step from the buffers before it. Returns the loss.
double Verifier::compute(Way way, const MicroBatches& batches, std::vector<MetricValue>& metrics) {
  std::optional<kernels::OtherKernels> other_kernels;
  std::optional<ThreadLimit> fewer_threads;
  if (const kernels::Kernels* twin = kernels::twin(); way == Way::other && twin)
    other_kernels.emplace(*twin);
  else if (way == Way::other)
    fewer_threads.emplace(std::max(1, num_threads() - 1));
  buffers_.restore();
  setup_.optimizer->zero_grad();
  metrics.clear();
  double loss = 0;
  make_passes(
      setup_, at_, batches, [&](Index i) { return batches_[static_cast<std::size_t>(i - batches.first)]; },
      [&](const StepOutput& output, const Batch&, double share, Index) {
        loss += share * static_cast<double>(output.loss.item());
        add_metrics(metrics, output.metrics, share);
        return true;
      });
  return loss;
}

bool Verifier::is_same(double loss) const {
  return std::bit_cast<std::uint64_t>(loss) == std::bit_cast<std::uint64_t>(loss_) &&
         std::ranges::all_of(values_, [](const Value& value) {
           const Tensor now = value.now();
           if (!now.defined() || !value.is_kept) return now.defined() == value.is_kept;
           return same_bits(now.span(), value.kept.span()) ||
                  std::ranges::equal(now.span(), value.kept.span(), are_same);
         });
}

Verifier::Difference Verifier::difference(double loss) const {
  Difference all;
  const auto add = [&](const std::string& name, Index count, Index size, double largest) {
    if (count > 0 && ++all.tensors == 1) all = {name, count, size, 1, largest};
  };
  for (const Value& value : values_) {
    const Tensor now = value.now();
    if (now.defined() != value.is_kept) add(value.name, value.source.size(), value.source.size(), 0);
    if (!now.defined() || !value.is_kept) continue;
    Index count = 0;
    double largest = 0;
    for (Index i = 0; i < now.size(); ++i) {
      const Scalar a = value.kept.data()[i], b = now.data()[i];
      if (are_same(a, b)) continue;
      ++count;
      largest = std::max(largest, std::abs(static_cast<double>(a) - static_cast<double>(b)));
    }
    add(value.name, count, now.size(), largest);
  }
  add("the loss", std::bit_cast<std::uint64_t>(loss) != std::bit_cast<std::uint64_t>(loss_), 1, std::abs(loss - loss_));
  return all;
}

std::uint64_t Verifier::hash_of_now(double loss) const {
  std::uint64_t hash = hash_of(loss);
  for (const Value& value : values_)
    if (const Tensor now = value.now(); now.defined()) hash = join_hashes(hash, hash_values(now.span()));
  return hash;
}

std::string Verifier::ways() const {
  if (const kernels::Kernels* twin = kernels::twin())
    return concat("kernels for ", kernels::best().instructions, " and for ", twin->instructions);
  const int threads = num_threads();
  return threads > 1 ? concat(threads, " threads and ", threads - 1) : "two computations on one thread";
}

}  // namespace handrail::train
