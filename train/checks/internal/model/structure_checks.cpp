#include <handrail/train/checks/internal/model/structure_checks.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <handrail/train/checks/internal/model/layer_checks.h>
#include <handrail/train/checks/internal/model/loss_checks.h>

namespace handrail::train {

std::vector<Anomaly> check_structure(const RecordedStep& step) {
  std::vector<Anomaly> found;
  const auto add = [&](std::optional<Anomaly> anomaly) {
    if (anomaly) found.push_back(std::move(*anomaly));
  };
  const auto add_all = [&](std::vector<Anomaly> anomalies) { std::ranges::move(anomalies, std::back_inserter(found)); };
  add(check_broadcast(step));
  add(check_loss_sign(step));
  add(check_loss_scale(step));
  add(check_loss_input(step));
  add(check_logarithm(step));
  add(check_output_range(step));
  add(check_regularisation(step));
  add_all(check_dropout(step));
  add_all(check_linear_after_linear(step));
  add(check_activation_twice(step));
  add(check_bottleneck(step));
  add_all(check_norms(step));
  add(check_depth(step));
  return found;
}

}  // namespace handrail::train
