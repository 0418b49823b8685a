#include <csignal>
#include <cstdint>
#include <optional>

#include <doctest/doctest.h>

#include <handrail/core/system/pool.h>

#include "support/heap_faults.h"
#include "support/memory_errors.h"
#include "support/sanitized.h"
#include "support/tasks.h"

using namespace handrail;
using namespace handrail::train;

namespace {

volatile std::sig_atomic_t own_calls = 0;
void own_handler(int) { own_calls = own_calls + 1; }

// A fit that gets SIGTERM in its last hook; the n-th allocation after that fails. Returns whether there was an n-th
// one.
bool fit_with_late_signal(const TrainerOptions& options, std::int64_t n) {
  auto model = small_model();
  Hooked trainer(model, cross_entropy, options);
  trainer.fit_end = [n](const FitResult&) {
    std::raise(SIGTERM);
    if (heap_faults::plan.first > heap_faults::calls + n) heap_faults::plan.first = heap_faults::calls + n;
  };
  const TensorDataset data = points(60);
  std::optional<FitResult> result;
  own_calls = 0;
  const auto outcome = heap_faults::fail_as_planned(
      {}, [&] { result = trainer.fit(data); }, [] { CHECK(unsuitable_for_low_memory() == ""); });
  const int told = result && result->signal == SIGTERM ? 1 : 0;
  CAPTURE(n);
  CHECK(told + own_calls == 1);
  return outcome != heap_faults::Outcome::no_fault;
}

}  // namespace

TEST_CASE("a signal in the last hook is in the result or sent again, whichever allocation fails after it") {
  if (thread_sanitizer) return;  // it holds signals back
  std::signal(SIGTERM, own_handler);
  for (const bool repair : {false, true}) {
    CAPTURE(repair);
    auto options = bare({.epochs = 2, .batch_size = 8, .lr = 0.01});
    options.validation_split = 0.2;
    options.refit = !repair;
    if (repair) options.repair = 1;
    std::int64_t n = 1;
    while (fit_with_late_signal(options, n)) n += sanitized ? 5 : 1;
    CHECK(n > 5);  // the result is copied
  }
  std::signal(SIGTERM, SIG_DFL);
}
