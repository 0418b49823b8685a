#include <handrail/train/report/html/internal/record.h>

#include <algorithm>

namespace handrail::train::html {

void LayerMaps::add(const LayerReport& report) {
  const std::size_t count = report.layers.size();
  if (names_.size() != count || norms_.size() != count) {
    names_.clear();
    for (const LayerStats& layer : report.layers) names_.push_back(layer.name);
    norms_.resize(count);
    ratios_.resize(count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    norms_[i] = report.layers[i].grad_norm;
    ratios_[i] = report.layers[i].update_ratio;
  }
  grad_norms_.add(report.step, norms_);
  update_ratios_.add(report.step, ratios_);
}

void LayerMaps::add(std::int64_t step, const std::vector<std::string>& names, const std::vector<double>& grad_norms,
                    const std::vector<double>& update_ratios) {
  if (names_.size() != names.size()) names_ = names;
  grad_norms_.add(step, grad_norms);
  update_ratios_.add(step, update_ratios);
}

void Figures::add(std::int64_t step, std::string_view name, double value) {
  constexpr std::size_t max_figures = 64, max_buckets = 512;
  auto figure = std::ranges::find(figures_, name, &Figure::name);
  if (figure == figures_.end()) {
    if (figures_.size() == max_figures) return;
    figures_.push_back({std::string(name), Curve(max_buckets)});
    figure = figures_.end() - 1;
  }
  figure->curve.add(step, value);
}

void Figures::add(std::int64_t step, const char* prefix, const std::vector<MetricValue>& metrics) {
  for (const MetricValue& metric : metrics) add(step, prefix + metric.name, metric.value);
}

const Curve* Figures::find(std::string_view name) const {
  const auto figure = std::ranges::find(figures_, name, &Figure::name);
  return figure == figures_.end() ? nullptr : &figure->curve;
}

}  // namespace handrail::train::html
