// Trains under hostile settings and tells whether each run ended well: finite parameters, and a result or
// a stop with a diagnosis; and whether a planted fault was named. usage: hostile [--verbose]
// Prints the table of docs/hostile.md and returns 1 when a run crashed, left a value that is not finite or
// had nothing to say; or when fewer than 95 % of the planted faults were named.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>

#include <handrail/core/system/finite.h>
#include <handrail/handrail.h>

#include "tasks.h"

using namespace handrail;

namespace {

struct Setting {
  OrAuto<double> lr;  // automatic
  Index batch = 32;
  bool bad_init = false;  // weights 30 times too large
  bool raw = false;       // inputs 0 to 255, as they are in the file
  bool poisoned = false;  // a batch with NaN in each epoch, which no check of the data set sees
  bool noise = false;     // half of the labels at random
  std::uint64_t seed = 1;
};

constexpr double too_low = 1e-5, too_high = 1;  // rates from here on are planted faults

std::set<std::string> planted(const Setting& s) {
  std::set<std::string> faults;
  if (s.lr && *s.lr <= too_low) faults.insert("rate too low");
  if (s.lr && *s.lr >= too_high) faults.insert("rate too high");
  if (s.bad_init) faults.insert("bad init");
  if (s.raw) faults.insert("raw inputs");
  if (s.poisoned) faults.insert("poisoned batch");
  if (s.noise) faults.insert("label noise");
  return faults;
}

// The fault that an anomaly names.
std::string named(const train::Anomaly& anomaly) {
  static const std::map<std::string, std::string> names{{"slow_progress", "rate too low"},
                                                        {"lr_too_low", "rate too low"},
                                                        {"divergence", "rate too high"},
                                                        {"lr_too_high", "rate too high"},
                                                        {"spike", "rate too high"},
                                                        {"dead_units", "rate too high"},
                                                        {"initial_loss", "bad init"},
                                                        {"exploding_activations", "bad init"},
                                                        {"input_scale", "raw inputs"},
                                                        {"label_noise", "label noise"},
                                                        {"no_better_than_baseline", "label noise"}};
  if (anomaly.name == "non_finite") return anomaly.where.starts_with("row ") ? "poisoned batch" : "rate too high";
  const auto it = names.find(anomaly.name);
  return it == names.end() ? anomaly.name : it->second;
}

// Digits whose rows of one number give NaN when they are gathered for training steps.
class Poisoned : public train::Dataset {
 public:
  Poisoned(const train::TensorDataset& data, Index row) : data_(data), row_(row) {}
  Index size() const override { return data_.size(); }
  Shape input_shape() const override { return data_.input_shape(); }
  Shape target_shape() const override { return data_.target_shape(); }
  void gather(std::span<const Index> rows, const train::Batch& batch) const override {
    data_.gather(rows, batch);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i] == row_) batch.inputs.mutable_data()[static_cast<Index>(i) * 64 + 5] = std::nanf("");
  }

 private:
  const train::TensorDataset& data_;
  Index row_;
};

train::TensorDataset digits(const Setting& s) {
  const auto bytes = bench::digits();
  const train::Batch all = train::first_samples(bytes, bytes.size());
  Rng rng(StreamKey{.seed = s.seed, .stream = Stream::user, .position = 7});
  // The file has 0 to 16; as bytes of other images it would be 0 to 255.
  const double scale = 255.0 / 16.0 * (s.raw ? 255.0 : 1.0);
  for (Scalar& x : all.inputs.mutable_span()) x = static_cast<Scalar>(static_cast<double>(x) * scale);
  if (s.noise)
    for (Scalar& label : all.targets.mutable_span())
      if (rng.uniform() < 0.5) label = static_cast<Scalar>(rng.below(10));
  return {all.inputs, all.targets};
}

struct Verdict {
  bool crashed = false, finite = true, told = true, warned = false;
  std::vector<std::string> names;  // of anomalies, in order, as faults, each once
  std::string end;
};

Verdict run(const Setting& s) {
  Verdict verdict;
  const train::TensorDataset clean = digits(s);
  const Poisoned poisoned(clean, s.poisoned ? 100 : -1);
  Rng rng(s.seed);
  nn::Sequential model{nn::Linear{64, 64, rng}, nn::ReLU{}, nn::Linear{64, 32, rng}, nn::ReLU{},
                       nn::Linear{32, 10, rng}};
  if (s.bad_init)
    for (const Parameter& p : model.parameters())
      for (Scalar& w : p.tensor.mutable_span()) w *= 30;
  const Index steps = (1617 + s.batch - 1) / s.batch;
  train::TrainerOptions options{.epochs = std::max<Index>(10, 300 / steps),
                                .batch_size = s.batch,
                                .lr = s.lr,
                                .checkpoints = train::off,
                                .seed = s.seed,
                                .metrics_csv = train::off,
                                .sinks = {}};
  // The check would refuse the whole data set: here the guards are to find the row.
  options.standardize = train::off;  // raw inputs are a fault to be named here
  if (s.poisoned) options.checks.finite = train::off;
  train::Trainer trainer{model, cross_entropy, options};
  const auto note = [&](const std::string& name) {
    if (std::ranges::find(verdict.names, name) == verdict.names.end()) verdict.names.push_back(name);
  };
  try {
    const auto result = trainer.fit(poisoned);
    verdict.end = to_string(result.reason);
    for (const auto& anomaly : result.diagnosis()) {
      note(named(anomaly));
      verdict.warned = verdict.warned || anomaly.severity == train::Severity::warning;
    }
    verdict.told = result.reason != train::StopReason::guard || !result.anomalies.empty();
  } catch (const Error& error) {
    verdict.end = error.what();
  } catch (const std::exception& error) {
    verdict.crashed = true;
    verdict.end = error.what();
  }
  for (const Parameter& p : model.parameters())
    if (first_non_finite(p.tensor.span()) >= 0) verdict.finite = false;
  return verdict;
}

struct Tally {
  int runs = 0, named = 0, first = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  const bool verbose = argc > 1 && std::strcmp(argv[1], "--verbose") == 0;
  set_num_threads(1);
  std::vector<Setting> settings;
  // One fault at a time, and none, with the rest as it should be.
  for (const Index batch : {8, 32, 128, 1024})
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const Setting fine{.lr = {}, .batch = batch, .seed = seed};
      const auto with = [&](auto&& change) {
        Setting s = fine;
        change(s);
        settings.push_back(s);
      };
      with([](Setting&) {});
      with([](Setting& s) { s.lr = 1e-3; });
      with([](Setting& s) { s.lr = 1e-6; });
      with([](Setting& s) { s.lr = 1e-5; });
      with([](Setting& s) { s.lr = 10; });
      with([](Setting& s) { s.lr = 100; });
      with([](Setting& s) { s.bad_init = true; });
      with([](Setting& s) { s.raw = true; });
      with([](Setting& s) { s.poisoned = true; });
      with([](Setting& s) { s.noise = true; });
    }
  // All of them crossed.
  for (const double lr : {1e-6, 1e-3, 1e-2, 1.0, 100.0})
    for (const Index batch : {8, 64, 1024})
      for (int bits = 0; bits < 16; ++bits)
        settings.push_back({.lr = lr,
                            .batch = batch,
                            .bad_init = (bits & 1) != 0,
                            .raw = (bits & 2) != 0,
                            .poisoned = (bits & 4) != 0,
                            .noise = (bits & 8) != 0,
                            .seed = 1});

  std::map<std::string, Tally> single;
  Tally several, none;
  int two_or_three = 0, all_of_them = 0, quiet = 0;
  int crashed = 0, non_finite = 0, silent = 0;
  for (const Setting& s : settings) {
    const Verdict v = run(s);
    const auto faults = planted(s);
    crashed += v.crashed;
    non_finite += !v.finite;
    silent += !v.told;
    const auto first_of = [&](std::size_t most) {
      return std::ranges::any_of(v.names.begin(),
                                 v.names.begin() + static_cast<std::ptrdiff_t>(std::min(most, v.names.size())),
                                 [&](const std::string& name) { return faults.contains(name); });
    };
    Tally& tally = faults.empty() ? none : faults.size() == 1 ? single[*faults.begin()] : several;
    ++tally.runs;
    // Several faults: one of them at least is to be among the first three; how often all are is counted too.
    const auto hits = std::ranges::count_if(faults, [&](const std::string& fault) {
      const auto end = v.names.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(3, v.names.size()));
      return std::find(v.names.begin(), end, fault) != end;
    });
    const bool is_named = faults.empty() ? v.names.empty() : faults.size() == 1 ? first_of(1) : hits >= 1;
    tally.named += is_named;
    if (faults.size() == 2 || faults.size() == 3) {
      ++two_or_three;
      all_of_them += hits == std::ssize(faults);
    }
    if (faults.empty()) quiet += !v.warned;
    if (verbose || v.crashed || !v.finite) {
      std::printf("lr %-8s batch %4td  planted:", s.lr ? concat(*s.lr).c_str() : "auto", s.batch);
      for (const auto& fault : faults) std::printf(" [%s]", fault.c_str());
      std::printf("  named:");
      for (const auto& name : v.names) std::printf(" [%s]", name.c_str());
      std::printf("  %s%s%s\n", v.end.c_str(), v.finite ? "" : "  NOT FINITE", is_named ? "" : "  MISSED");
    }
  }
  std::printf("%-16s %6s %22s\n", "planted", "runs", "named first");
  int named_first = 0, single_runs = 0;
  for (const auto& [fault, tally] : single) {
    std::printf("%-16s %6d %15d (%3.0f %%)\n", fault.c_str(), tally.runs, tally.named,
                100.0 * tally.named / tally.runs);
    named_first += tally.named;
    single_runs += tally.runs;
  }
  std::printf("%-16s %6d %15d (%3.1f %%)\n", "any one", single_runs, named_first, 100.0 * named_first / single_runs);
  std::printf("%-16s %6d %15d (%3.1f %%)  among the first three\n", "several", several.runs, several.named,
              100.0 * several.named / std::max(1, several.runs));
  std::printf("%-16s %6d %15d (%3.1f %%)  all of them among the first three\n", "two or three", two_or_three,
              all_of_them, 100.0 * all_of_them / std::max(1, two_or_three));
  std::printf("%-16s %6d %15d without any anomaly, %d without a warning\n", "none", none.runs, none.named, quiet);
  std::printf("%zu runs: %d crashed, %d with parameters that are not finite, %d stopped without a diagnosis\n",
              settings.size(), crashed, non_finite, silent);
  const bool well =
      crashed + non_finite + silent == 0 && named_first >= 0.95 * single_runs && several.named >= 0.95 * several.runs;
  return well ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "hostile: %s\n", error.what());
  return 2;
}
