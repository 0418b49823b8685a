#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <handrail/train/report/anomaly.h>

using namespace handrail::train;

namespace {

Anomaly anomaly(std::string name, std::int64_t step, Rank rank, Severity severity) {
  return {.name = std::move(name),
          .step = step,
          .evidence = {},
          .cause = {},
          .remedy = {},
          .rank = rank,
          .severity = severity};
}

}  // namespace

TEST_CASE("an anomaly is a warning unless its guard says that nothing is lost") {
  CHECK(Anomaly{.name = "spike", .evidence = {}, .cause = {}, .remedy = {}}.severity == Severity::warning);
}

TEST_CASE("a diagnosis lists warnings before notes, and causes before symptoms among each") {
  const std::vector<Anomaly> all{anomaly("class_imbalance", 0, Rank::setup, Severity::note),
                                 anomaly("spike", 7, Rank::symptom, Severity::warning),
                                 anomaly("clip_pressure", 8, Rank::symptom, Severity::note),
                                 anomaly("overfitting", 9, Rank::outcome, Severity::warning)};
  std::vector<std::string> names;
  for (const Anomaly& cause : diagnosis(all)) names.push_back(cause.name);
  CHECK(names == std::vector<std::string>{"overfitting", "spike", "class_imbalance", "clip_pressure"});
}

TEST_CASE("a diagnosis has the first warning of a name, also when a note of that name came before") {
  const std::vector<Anomaly> all{anomaly("overfitting", 3, Rank::outcome, Severity::note),
                                 anomaly("overfitting", 6, Rank::outcome, Severity::warning),
                                 anomaly("overfitting", 9, Rank::outcome, Severity::warning)};
  const std::vector<Anomaly> found = diagnosis(all);
  REQUIRE(found.size() == 1);
  CHECK(found[0].step == 6);
}
