#include <cfenv>

#include <doctest/doctest.h>

#include <handrail/core/system/denormals.h>
#include <handrail/handrail.h>

#include "support/hash.h"
#include "support/tasks.h"

using namespace handrail;

namespace {

struct Run {
  std::uint64_t hash;
  std::string evidence;  // of the anomaly
};

// In the mode that `set` makes; model and data are from before.
template <class Set>
Run run(Set set) {
  auto model = small_model();
  static const auto data = points(200);
  train::Trainer trainer(model, cross_entropy, {.epochs = 3, .checkpoints = train::off, .sinks = {}});
  set();
  const auto result = trainer.fit(data);
  const auto* anomaly = find_anomaly(result, "floating_point_mode");
  return {hash_of(model), anomaly ? anomaly->evidence : ""};
}

}  // namespace

TEST_CASE("a mode of the processor that another library left is named, and the bits are the same all the same") {
  const Run plain = run([] {});
  CHECK(plain.evidence.empty());

  const Run upward = run([] { std::fesetround(FE_UPWARD); });
  CHECK(std::fegetround() == FE_UPWARD);
  std::fesetround(FE_TONEAREST);
  CHECK(upward.evidence == "results are not rounded to nearest");
  CHECK(upward.hash == plain.hash);

  const unsigned long before = fp_mode::get();
  {
    const FlushDenormals flush;
    if (!fp_mode::flushes_denormals()) return;  // a processor whose mode is not known
    const Run flushed = run([] {});
    CHECK(flushed.evidence == "denormal numbers are flushed to zero");
    CHECK(flushed.hash == plain.hash);
    CHECK(fp_mode::flushes_denormals());
  }
  CHECK(fp_mode::get() == before);
}
