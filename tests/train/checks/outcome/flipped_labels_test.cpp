#include <cmath>

#include <doctest/doctest.h>
#include <handrail/core/random.h>
#include <handrail/train/checks/internal/outcome/flipped_labels.h>

using namespace handrail;

namespace {

// Two normal classes at this distance; a share of the labels of class 0 says 1. The logits are those of a model that
// has learnt these labels.
struct Two {
  Tensor logits{Shape{300}}, targets{Shape{300}};
};
Two two_classes(double distance, double flipped, std::uint64_t seed) {
  Rng rng(seed);
  Two two;
  for (Index i = 0; i < 300; ++i) {
    const double sign = i % 2 == 0 ? -1 : 1, x = sign * distance / 2 + rng.normal();
    const double of_one = 1 / (1 + std::exp(-distance * x)), p = of_one + flipped * (1 - of_one);
    two.logits.mutable_data()[i] = static_cast<Scalar>(std::log(p / (1 - p)) + 0.2 * rng.normal());
    two.targets.mutable_data()[i] = sign > 0 || rng.uniform() < flipped ? 1 : 0;
  }
  return two;
}

}  // namespace

TEST_CASE("labels of one class that say another are a note, and classes that overlap are none") {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Two flipped = two_classes(4, 0.35, seed);
    const auto anomaly = train::diagnose_flips(flipped.logits, flipped.targets, {});
    found += anomaly && anomaly->name == "label_noise" && anomaly->severity == train::Severity::note;
    for (const double distance : {0.5, 1.0, 2.0, 3.0, 4.0}) {
      const Two clean = two_classes(distance, 0, seed);
      CHECK(!train::diagnose_flips(clean.logits, clean.targets, {}));
    }
  }
  CHECK(found >= 14);
}
