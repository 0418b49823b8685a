#include <handrail/train/guards/layer_guard.h>

#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>
#include <handrail/train/guards/internal/divergence.h>

namespace handrail::train {
namespace {

constexpr std::int32_t patience = layer_patience;
constexpr std::int32_t dead_patience = 3;  // measurements
constexpr double exploding = 100;          // gradient norm, of losses that begin at 10 or below
constexpr double max_dead_share = 0.5;     // of the units of a layer
constexpr Index min_samples = 16;          // of which fewer may leave a unit without a gradient by chance

Anomaly dead_units(std::int64_t step, std::string evidence) {
  return {.name = "dead_units",
          .step = step,
          .evidence = std::move(evidence),
          .cause = "a learning rate that was too high, or inputs that are not normalised",
          .remedy = "lower lr, standardise the inputs, or use gelu instead of relu",
          .action = Action::proceed,
          .rank = Rank::blow_up};
}

// No update has killed these units: they were dead before the first.
Anomaly units_dead_from_the_start(std::int64_t step) {
  return {.name = "dead_units",
          .step = step,
          .evidence = "its gradient has been exactly 0 since step 1",
          .cause =
              "inputs that are not normalised, or initial weights, that leave no unit active; the learning rate "
              "has no part in it",
          .remedy = "standardise the inputs, initialise anew, or use gelu",
          .action = Action::proceed,
          .rank = Rank::setup};
}

Anomaly vanishing_gradient(const StepStats& stats, double norm, bool lived) {
  // Saturated units leave a small gradient. It is exactly 0 only where no unit is active.
  if (!lived) return units_dead_from_the_start(stats.step);
  if (norm == 0)
    return dead_units(stats.step, concat("its gradient has been exactly 0 for ", patience, " steps, at loss ",
                                         short_form(stats.loss)));
  return {.name = "vanishing_gradient",
          .step = stats.step,
          .evidence = concat("gradient norm ", short_form(norm), ", below 1e-7 for ", patience, " steps"),
          .cause = "saturated or dead units after this layer, or initial weights that are too small",
          .remedy = "use relu or gelu, or add a norm layer",
          .action = Action::proceed,
          .details = concat("at loss ", short_form(stats.loss)),
          .rank = Rank::symptom};
}

Anomaly exploding_gradient(const StepStats& stats, double norm, double limit) {
  return {.name = "exploding_gradient",
          .step = stats.step,
          .evidence =
              concat("gradient norm ", short_form(norm), ", above ", short_form(limit), " for ", patience, " steps"),
          .cause =
              "inputs or targets that are not normalised, initial weights that are too large, or a learning rate "
              "that is too high",
          .remedy = concat("standardise the data, or set lr below ", short_form(stats.lr)),
          .action = Action::proceed,
          .details = concat("at loss ", short_form(stats.loss)),
          .rank = Rank::symptom};
}

}  // namespace

std::optional<Anomaly> LayerGuard::check_gradients(const StepStats& stats) {
  const std::size_t count = std::min(stats.layer_norms.size(), layers_.size());
  const bool learnt = std::abs(stats.loss) <= 0.01 * std::abs(initial_.mean());
  // A squared error grows with the square of the unit of its targets, and its gradient with the unit.
  const double limit = exploding * std::sqrt(std::max(1.0, initial_.magnitude() / 10));
  std::optional<Anomaly> anomaly;
  for (std::size_t l = 0; l < count; ++l) {
    const double norm = stats.layer_norms[l];
    Layer& layer = layers_[l];
    layer.gone = norm == 0 && is_finite(stats.loss);  // a loss that is not finite is for other guards
    layer.lived = layer.lived || !layer.gone;
    bool vanishes = layer.vanishing.step(norm < vanishing_norm, patience) && !learnt;
    const bool explodes = layer.exploding.step(norm > limit, patience);
    if (vanishes && !is_trained_(l)) {
      layer.vanishing = {};
      vanishes = false;
    }
    if (!(vanishes || explodes) || anomaly) [[likely]]
      continue;
    (vanishes ? layer.vanishing : layer.exploding).reported = true;
    anomaly = vanishes ? vanishing_gradient(stats, norm, layer.lived) : exploding_gradient(stats, norm, limit);
    anomaly->where = names_[l];
    if (vanishes && layer.gone && layer.lived && rollbacks_ < max_rollbacks) {
      anomaly->action = Action::rollback;
      anomaly->lr_factor = rollback_factor(rollbacks_);
      proposed_ = true;
    }
  }
  return anomaly;
}

std::vector<std::string> LayerGuard::lost() const {
  std::vector<std::string> names;
  for (std::size_t l = 0; l < layers_.size(); ++l)
    if (layers_[l].gone && layers_[l].lived && is_trained_(l)) names.push_back(names_[l]);
  return names;
}

std::optional<Anomaly> LayerGuard::accepted(const StepStats& stats) {
  if (is_finite(stats.loss)) [[likely]] {
    initial_.add(stats.loss);
    level_.add(stats.loss);
  }
  few_samples_ = stats.samples < min_samples;
  return std::nullopt;
}

std::optional<Anomaly> LayerGuard::layers_measured(const LayerReport& report) {
  const std::size_t hidden = std::min(report.layers.size(), layers_.size() - std::min<std::size_t>(layers_.size(), 1));
  const double level = level_.value(), scale = initial_.magnitude();
  // Samples that are all fitted leave a gradient of exactly 0 too.
  const bool learnt = scale > 0 && std::abs(level) <= 0.01 * scale, learns = initial_.mean() - level > 0.5 * scale;
  std::optional<Anomaly> anomaly;
  for (std::size_t l = 0; l < hidden; ++l) {
    const double share = report.layers[l].dead_units;
    if (!layers_[l].dead.step(share > max_dead_share && !few_samples_, dead_patience) || anomaly || learnt) continue;
    layers_[l].dead.reported = true;
    anomaly = dead_units(report.step, concat(short_form(100 * share), " % of its units got no gradient in ",
                                             dead_patience, " measurements in a row"));
    anomaly->where = names_[l];
    anomaly->severity = learns ? Severity::note : Severity::warning;
    anomaly->details = concat("loss ", short_form(initial_.mean()), " at first, ", short_form(level), " now");
  }
  return anomaly;
}

void LayerGuard::rolled_back() {
  if (std::exchange(proposed_, false)) ++rollbacks_;
  level_ = Ema(level_beta);
  for (Layer& layer : layers_) {
    const bool lived = layer.lived;
    layer = {};
    layer.lived = lived;
  }
}

void LayerGuard::visit_state(StateVisitor& state) {
  std::size_t count = layers_.size();
  state.count(count);
  if (count != layers_.size()) state.refuse();
  state.count(rollbacks_, max_rollbacks);
  initial_.visit_state(state);
  level_.visit_state(state);
  for (Layer& layer : layers_) {
    state.flag(layer.lived);
    state.flag(layer.gone);
  }
  for (Layer& layer : layers_)
    for (Stretch* stretch : {&layer.vanishing, &layer.exploding, &layer.dead}) {
      state.count(stretch->length, stretch == &layer.dead ? dead_patience : patience);
      state.flag(stretch->reported);
    }
}

}  // namespace handrail::train
