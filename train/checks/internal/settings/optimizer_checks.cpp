#include <handrail/train/checks/internal/settings/optimizer_checks.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

std::string share_text(double part, double whole) { return concat(short_form(100 * part / whole, 3), " %"); }

// "'a', 'b' and 3 more".
std::string some_names(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 2;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) text += concat(i == 0 ? "'" : ", '", names[i], "'");
  if (names.size() > shown) text += concat(" and ", names.size() - shown, " more");
  return text;
}

std::optional<double> value_of(const optim::Optimizer& optimizer, std::string_view name) {
  for (const optim::Hyperparameter& number : optimizer.hyperparameters())
    if (number.name == name) return number.value;
  return std::nullopt;
}

// Whether it was written to since it was made, as loading and training do.
bool is_written(const Parameter& p) {
  constexpr std::uint32_t initial_writes = 1;  // by an initialiser
  return p.tensor.version() > initial_writes;
}

}  // namespace

Penalty penalty_of(const optim::Optimizer& optimizer) {
  const auto is = [&](const char* name) { return value_of(optimizer, name) == 1.0; };
  return {.kind = is("scaled_penalty")        ? Penalty::scaled
                  : is("penalty_in_gradient") ? Penalty::in_gradient
                                              : Penalty::decoupled,
          .gain = 1 / (1 - value_of(optimizer, "momentum").value_or(0))};
}

Trained trained_parameters(const std::vector<Parameter>& model, std::span<const optim::ParamGroup> groups) {
  constexpr double slow = 1e-3;  // times the highest rate
  double highest = 0;
  for (const optim::ParamGroup& group : groups) highest = std::max(highest, group.lr_scale);
  Trained result{.loaded = are_loaded(model)};
  for (const Parameter& p : model) {
    const Index size = p.tensor.size();
    ++result.parameters;
    result.weights += size;
    const optim::ParamGroup* group = nullptr;
    for (const optim::ParamGroup& g : groups)
      if (std::ranges::any_of(g.params, [&](const Parameter& other) { return other.tensor.is_same(p.tensor); }))
        group = &g;
    if (!p.tensor.requires_grad() || (group && group->lr_scale == 0)) {
      result.frozen.push_back(p.name);
      result.frozen_weights += size;
    } else if (!group) {
      result.left_out.push_back(p.name);
      result.left_out_weights += size;
    } else {
      ++result.trained;
      result.trained_weights += size;
      if (group->lr_scale >= slow * highest) continue;
      result.slow.push_back(p.name);
      result.slow_weights += size;
      if (!is_written(p)) result.new_slow_weights += size;
    }
  }
  for (const optim::ParamGroup& group : groups)
    for (const Parameter& other : group.params)
      result.foreign += std::ranges::none_of(model, [&](const Parameter& p) { return p.tensor.is_same(other.tensor); });
  return result;
}

bool are_loaded(const std::vector<Parameter>& model) {
  return std::ranges::none_of(
      model, [](const Parameter& p) { return p.role == Role::weight && !p.tensor.requires_grad() && !is_written(p); });
}

std::optional<Anomaly> check_trained(const Trained& t) {
  Anomaly anomaly{.name = "not_trained",
                  .evidence = {},
                  .cause = {},
                  .remedy = {},
                  .details = concat(t.trained, " of ", counted(t.parameters, "parameter"), " are trained, ",
                                    share_text(static_cast<double>(t.trained_weights), static_cast<double>(t.weights)),
                                    " of all weights")};
  if (t.foreign > 0) {
    anomaly.where = "optimizer";
    anomaly.evidence = concat(t.foreign, " of its tensors are not in the model that is trained");
    anomaly.cause = "configure_optimizer was given the parameters of another model, or of a copy of this one";
    anomaly.remedy = "make it from parameters() of this model";
  } else if (!t.left_out.empty()) {
    anomaly.where = some_names(t.left_out);
    anomaly.evidence = concat(share_text(static_cast<double>(t.left_out_weights), static_cast<double>(t.weights)),
                              " of all weights are not in the optimizer");
    anomaly.cause = "a list of parameters that was made by hand, or before the last layers were added";
    anomaly.remedy = "give it all parameters()";
  } else if (10 * t.new_slow_weights > t.weights) {
    anomaly.where = some_names(t.slow);
    anomaly.evidence = concat(share_text(static_cast<double>(t.slow_weights), static_cast<double>(t.weights)),
                              " of all weights, never loaded, have less than 0.1 % of the rate");
    anomaly.cause = "an lr_scale for a trained body left on: weights that begin at random hardly move";
    anomaly.remedy = "set lr_scale = 1";
  } else if (!t.frozen.empty()) {
    const bool most = 2 * t.frozen_weights > t.weights;
    anomaly.where = some_names(t.frozen);
    anomaly.evidence =
        concat("frozen: ", share_text(static_cast<double>(t.frozen_weights), static_cast<double>(t.weights)),
               " of all weights", t.loaded ? "" : ", never loaded or trained");
    anomaly.cause = t.loaded ? "freeze(), or a group with lr_scale 0, as for fine-tuning"
                             : "freeze() or lr_scale 0 left on: weights that were never trained stay random";
    anomaly.remedy = t.loaded ? "unfreeze() to train them too" : "unfreeze(), or load_model() before";
    anomaly.severity = most && !t.loaded ? Severity::warning : Severity::note;
  } else {
    return std::nullopt;
  }
  return anomaly;
}

std::optional<Anomaly> check_group_rates(std::span<const optim::ParamGroup> groups) {
  constexpr double max_scale = 30;
  const auto fastest = std::ranges::max_element(groups, {}, &optim::ParamGroup::lr_scale);
  if (fastest == groups.end() || !(fastest->lr_scale > max_scale)) return std::nullopt;
  return Anomaly{.name = "lr_too_high",
                 .where = concat("group '", fastest->name, "'"),
                 .evidence = concat("its lr_scale is ", short_form(fastest->lr_scale),
                                    ": its rate is that many times the one of the run"),
                 .cause = "a factor of another model, or a rate that was written where a factor belongs",
                 .remedy = "set lr_scale to 1, or to at most 10"};
}

std::vector<Anomaly> check_hyperparameters(const optim::Optimizer& optimizer) {
  std::vector<Anomaly> found;
  const auto add = [&](const char* name, std::string evidence, std::string cause, const char* remedy) {
    found.push_back({.name = name,
                     .where = optimizer.name(),
                     .evidence = std::move(evidence),
                     .cause = std::move(cause),
                     .remedy = remedy});
  };
  constexpr double max_beta = 0.99, min_beta2 = 0.9, max_eps = 1e-4;
  const auto momentum = value_of(optimizer, "momentum"), beta1 = value_of(optimizer, "beta1"),
             beta2 = value_of(optimizer, "beta2"), eps = value_of(optimizer, "eps");
  const auto memory = [](double beta) { return short_form(1 / (1 - beta), 3); };
  if (momentum && *momentum > max_beta)
    add("momentum_too_high", concat("momentum ", *momentum, " adds up the last ", memory(*momentum), " gradients"),
        "the weights overshoot and swing: an update is that many times as long as lr says", "set momentum = 0.9");
  if (beta1 && beta2) {
    if (*beta1 > *beta2)
      add("adam_betas", concat("beta1 ", *beta1, " is above beta2 ", *beta2),
          "the two were exchanged: the scale of an update forgets faster than its direction",
          "set betas 0.9 and 0.999");
    else if (*beta1 > max_beta)
      add("adam_betas", concat("beta1 ", *beta1, " averages over ", memory(*beta1), " gradients"),
          "the updates lag behind the gradients and overshoot", "set beta1 = 0.9");
    else if (*beta2 < min_beta2)
      add("adam_betas", concat("beta2 ", *beta2, " averages over ", memory(*beta2), " squared gradients"),
          "the scale of the updates follows the noise of single batches", "set beta2 = 0.999");
  }
  if (eps && *eps > max_eps)
    add("adam_eps", concat("eps ", short_form(*eps), " is larger than most gradients"),
        "the update is divided by eps rather than by the size of the gradient: the rate is far lower than it looks",
        "set eps = 1e-8");
  return found;
}

std::optional<Anomaly> check_clip(double clip_norm, const optim::Optimizer& optimizer,
                                  std::span<const Parameter> weights, std::optional<double> path) {
  constexpr double min_clip = 1e-3, min_in_eps = 100, min_reach = 0.3, small_clip = 0.1;
  Index count = 0;
  double squares = 0;
  for (const Parameter& p : weights) {
    if (!p.tensor.requires_grad()) continue;
    count += p.tensor.size();
    for (const Scalar w : p.tensor.span()) squares += static_cast<double>(w) * static_cast<double>(w);
  }
  const bool scales = optimizer.batch_scaling() == optim::BatchScaling::sqrt;
  const double reach = path.value_or(0) * clip_norm * penalty_of(optimizer).gain / std::sqrt(squares);
  const bool stays = path && !scales && clip_norm < small_clip && reach < min_reach;
  if (clip_norm >= min_clip && !stays) return std::nullopt;
  const double element = clip_norm / std::sqrt(static_cast<double>(std::max<Index>(1, count)));
  const bool scaled_away = scales && element > min_in_eps * value_of(optimizer, "eps").value_or(0);
  std::string details;
  if (scaled_away) details = concat(optimizer.name(), " divides by the size of the gradient, which undoes most of it");
  if (stays)
    details =
        concat("all updates together move the weights by at most ", short_form(100 * reach, 2), " % of their size");
  return Anomaly{.name = "clip_too_small",
                 .where = "clip_norm",
                 .evidence = concat("gradients are scaled down to a norm of ", short_form(clip_norm)),
                 .cause = "nearly every gradient is clipped, so that the steps are far shorter than lr says",
                 .remedy = "set clip_norm = 1",
                 .details = std::move(details),
                 .severity = scaled_away ? Severity::note : Severity::warning};
}

}  // namespace handrail::train
