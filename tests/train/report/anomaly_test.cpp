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

TEST_CASE("what follows from a cause has no place of its own in a diagnosis, and is named with the cause") {
  const std::vector<Anomaly> all{anomaly("saturated_units", 0, Rank::setup, Severity::warning),
                                 anomaly("input_scale", 0, Rank::setup, Severity::warning),
                                 anomaly("dead_units", 40, Rank::blow_up, Severity::warning),
                                 anomaly("overfitting", 90, Rank::outcome, Severity::warning)};
  const std::vector<Anomaly> found = diagnosis(all);
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "input_scale");
  CHECK(found[0].effects == std::vector<std::string>{"saturated_units", "dead_units"});
  CHECK(found[0].text().ends_with("it explains saturated_units, dead_units"));
  CHECK(found[1].name == "overfitting");
}

TEST_CASE("a row that is not finite, and a rate beside weights that are too large, keep places of their own") {
  const auto names = [](const std::vector<Anomaly>& all) {
    std::vector<std::string> found;
    for (const Anomaly& a : diagnosis(all)) found.push_back(a.name);
    return found;
  };
  CHECK(names({anomaly("input_scale", 0, Rank::setup, Severity::warning),
               anomaly("non_finite", 3, Rank::bad_row, Severity::warning)})
            .size() == 2);
  CHECK(names({anomaly("exploding_activations", 0, Rank::setup, Severity::warning),
               anomaly("divergence", 3, Rank::blow_up, Severity::warning)})
            .size() == 2);
}

TEST_CASE("gradients of 0 follow from inputs that are ignored") {
  const std::vector<Anomaly> found =
      diagnosis(std::vector{anomaly("zero_gradient", 0, Rank::setup, Severity::warning),
                            anomaly("inputs_ignored", 0, Rank::setup, Severity::warning)});
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "inputs_ignored");
}

TEST_CASE("a note that explains a warning is the warning of a diagnosis") {
  const std::vector<Anomaly> all{anomaly("lr_too_high", 0, Rank::setup, Severity::note),
                                 anomaly("dead_units", 40, Rank::blow_up, Severity::warning),
                                 anomaly("class_imbalance", 0, Rank::setup, Severity::note)};
  const std::vector<Anomaly> found = diagnosis(all);
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "lr_too_high");
  CHECK(found[0].severity == Severity::warning);
  CHECK(found[1].severity == Severity::note);
}

TEST_CASE("a note does not take the place of another cause, nor of what labels tell") {
  const std::vector<Anomaly> all{anomaly("small_training_set", 0, Rank::setup, Severity::note),
                                 anomaly("missing_class", 0, Rank::setup, Severity::warning),
                                 anomaly("constant_columns", 0, Rank::setup, Severity::note),
                                 anomaly("labels_shuffled", 90, Rank::labels, Severity::warning)};
  const std::vector<Anomaly> found = diagnosis(all);
  REQUIRE(found.size() == 4);
  CHECK(found[0].name == "missing_class");
  CHECK(found[1].name == "labels_shuffled");
}

TEST_CASE("a diagnosis has a cause of each part of the program before a second one of the same part") {
  std::vector<Anomaly> all;
  for (const char* name : {"coded_missing", "mixed_units", "large_offset", "adam_eps", "bottleneck"})
    all.push_back(anomaly(name, 0, Rank::setup, Severity::warning));
  std::vector<std::string> names;
  for (const Anomaly& cause : diagnosis(all)) names.push_back(cause.name);
  CHECK(names == std::vector<std::string>{"coded_missing", "adam_eps", "bottleneck", "mixed_units", "large_offset"});
}

TEST_CASE("a rate that is far from all usual ones is a cause of its own") {
  for (const Rank rank : {Rank::setup, Rank::pace}) {
    const std::vector<Anomaly> all{anomaly("input_scale", 0, Rank::setup, Severity::warning),
                                   anomaly("lr_too_high", 0, rank, Severity::warning)};
    CHECK(diagnosis(all).size() == (rank == Rank::setup ? 2 : 1));
  }
}
