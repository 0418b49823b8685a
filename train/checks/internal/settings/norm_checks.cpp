#include <handrail/train/checks/internal/settings/norm_checks.h>

#include <cmath>

#include <handrail/core/error.h>
#include <handrail/nn/norm.h>
#include <handrail/train/files/text.h>

namespace handrail::train {

bool normalises_inputs(const nn::Module& model) {
  for (const nn::Module* module : model.modules()) {
    if (module->normalises()) return true;
    if (!module->parameters().empty() && module->modules().size() == 1) return false;
  }
  return false;
}

std::optional<Anomaly> check_batch_norms(const nn::Module& model, std::int64_t steps) {
  constexpr double max_momentum = 0.5, min_momentum = 1e-3, max_left = 0.5;
  for (const nn::Module* module : model.modules()) {
    const auto* norm = dynamic_cast<const nn::BatchNorm1d*>(module);
    if (!norm) continue;
    const double m = norm->momentum(), left = std::pow(1 - m, static_cast<double>(steps));
    if (m > max_momentum)
      return Anomaly{.name = "batch_norm_momentum",
                     .where = "batch norm",
                     .evidence = concat("with momentum ", short_form(m), " the last batch makes ",
                                        short_form(100 * m, 3), " % of the running statistics"),
                     .cause = "the momentum of another library, where it is the share of the older statistics",
                     .remedy = "set momentum = 0.1"};
    if (m < min_momentum && left > max_left)
      return Anomaly{.name = "train_eval_gap",
                     .where = "batch norm",
                     .evidence = concat("with momentum ", short_form(m), ", ", short_form(100 * left, 3),
                                        " % of the first running statistics are left after ", steps, " steps"),
                     .cause =
                         "evaluation uses the mean 0 and the variance 1 that they begin with, and training the "
                         "statistics of each batch",
                     .remedy = "set momentum = 0.1"};
  }
  return std::nullopt;
}

}  // namespace handrail::train
