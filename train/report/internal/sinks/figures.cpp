#include <handrail/train/report/internal/sinks/figures.h>

#include <cmath>
#include <limits>
#include <utility>

namespace handrail::train {
namespace {

struct StepFigure {
  const char* column;
  const char* tag;
  double StepStats::*value;
};
constexpr StepFigure figures_of_a_step[] = {{"train_loss", "train/loss", &StepStats::loss},
                                            {"ema_loss", "train/ema_loss", &StepStats::ema_loss},
                                            {"lr", "lr", &StepStats::lr},
                                            {"grad_norm", "grad_norm", &StepStats::grad_norm}};

std::string name_of(const char* group, const std::string& name, Names names) {
  return group + (names == Names::tags ? '/' + name : '_' + name);
}

}  // namespace

void StepFigures::start() {
  since_ = std::chrono::steady_clock::now();
  samples_ = 0;
}

void StepFigures::add(const StepStats& stats) {
  last_ = stats;
  last_.layer_norms = {};  // valid during the call only
  last_.sample_losses = nullptr;
  samples_ += static_cast<double>(stats.samples);
}

double StepFigures::take_samples_per_second() {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - std::exchange(since_, now)).count();
  const double samples = std::exchange(samples_, 0);
  return samples > 0 && seconds > 0 ? samples / seconds : std::numeric_limits<double>::quiet_NaN();
}

Figures StepFigures::take(Names names) {
  Figures figures;
  for (const StepFigure& figure : figures_of_a_step)
    figures.push_back({names == Names::tags ? figure.tag : figure.column, last_.*figure.value});
  if (const double speed = take_samples_per_second(); !std::isnan(speed))
    figures.push_back({"samples_per_second", speed});
  return figures;
}

Figures figures_of(const Evaluation& evaluation, Names names) {
  Figures figures{{name_of("val", "loss", names), evaluation.loss}};
  if (evaluation.measured_accuracy)
    figures.push_back({name_of("val", "accuracy", names), *evaluation.measured_accuracy});
  for (const MetricValue& metric : evaluation.metrics)
    figures.push_back({name_of("val", metric.name, names), metric.value});
  return figures;
}

Figures figures_of(const EpochStats& epoch, Names names) {
  Figures figures{{name_of("train", "loss_epoch", names), epoch.train_loss}};
  for (const MetricValue& metric : epoch.metrics)
    figures.push_back({name_of("train", metric.name, names), metric.value});
  return figures;
}

}  // namespace handrail::train
