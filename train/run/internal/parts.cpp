#include <handrail/train/run/internal/parts.h>

#include <map>
#include <memory>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/signals.h>

namespace handrail::train {
namespace {

// The only sink of the fits within: it counts their epochs for the sinks of the user.
class EpochCount final : public LogSink {
 public:
  EpochCount(const PartNames& names, Index count, const TrainerOptions& options)
      : sinks_(options.sinks), names_(names), epochs_(options.epochs), total_(count * options.epochs) {}

  void begin(Index number) { first_ = number * epochs_; }
  void epoch_end(const EpochStats& stats) override {
    for (const auto& sink : sinks_)
      sink->activity({.what = names_.activity, .done = first_ + stats.epoch, .total = total_});
  }

 private:
  LogSinks sinks_;
  PartNames names_;
  Index epochs_, total_, first_ = 0;
};

}  // namespace

int run_parts(const PartNames& names, Index count, const TrainerOptions& options,
              const std::function<Part(Index number, const TrainerOptions&)>& run) {
  const SignalWatch watch(options.handle_signals);
  const auto epochs = std::make_shared<EpochCount>(names, count, options);
  TrainerOptions own = options;
  own.checkpoints = off;
  own.metrics_csv = off;
  own.report = false;
  own.sinks.clear();
  if (!options.sinks.empty()) own.sinks.push_back(epochs);
  for (Index number = 0; number < count; ++number) {
    own.seed = derived_seed(options.seed, number);
    epochs->begin(number);
    const Part part = run(number, own);
    for (const auto& sink : options.sinks)
      sink->part_end({.kind = names.kind, .number = number + 1, .count = count, .fit = part.fit, .test = part.test});
    if (const int signal = options.handle_signals ? SignalWatch::received() : 0; signal != 0) {
      SignalWatch::answer();
      return signal;
    }
  }
  return 0;
}

std::string diagnosis_text(const char* kind, std::span<const FitResult* const> fits) {
  std::vector<Anomaly> all;
  std::map<std::string, std::int64_t> counts;
  Index number = 0;
  for (const FitResult* fit : fits) {
    const std::string of_fit = concat(kind, " ", ++number);
    for (Anomaly anomaly : fit->anomalies) {
      anomaly.where = anomaly.where.empty() ? of_fit : of_fit + ", " + anomaly.where;
      all.push_back(std::move(anomaly));
    }
    for (const auto& [name, count] : fit->anomaly_counts) counts[name] += count;
  }
  return diagnosis_text(all, counts);
}

}  // namespace handrail::train
